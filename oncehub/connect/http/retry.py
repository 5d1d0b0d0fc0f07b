"""Retry policy: which failures of a request are retried, how often, and how long to wait in between."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from secrets import SystemRandom
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from oncehub.config.access import Limits
from oncehub.connect.http.failures import CredentialsRefused, TryAgain
from oncehub.connect.http.local_rate_limiter import Pause, RateLimiter
from oncehub.errors import AuthenticationError, RequestRefused, SourceUnavailable, Throttled

logger = logging.getLogger(__name__)

_FIRST_DELAY = 0.5

Result = TypeVar("Result")


def with_retries(
    attempt: Callable[[], Result], what: str, limits: Limits, *, rate_limiter: RateLimiter, pause: Pause
) -> Result:
    """Repeat `attempt` until it succeeds, at most `limits.attempts` times.

    `TryAgain` is retried after a back-off, or after the time that the source asks to wait; refused
    credentials are retried once where fresh ones can be fetched, and do not count as an attempt.

    Raises:
        SourceUnavailable: when the last attempt failed too.
        Throttled: when the source asks to wait longer than `limits.longest_wait`.
        AuthenticationError: when the credentials are refused.
    """
    renewed = False
    failed = 0
    while True:
        try:
            return attempt()
        except CredentialsRefused as refused:
            if renewed or not refused.renewable:
                raise AuthenticationError(
                    f"{what}: answered {refused.status}; check auth in its connector.yaml, and the"
                    " credentials in the source's connection"
                ) from None
            renewed = True
        except TryAgain as failure:
            failed += 1
            _wait(failure, what, failed, limits, rate_limiter=rate_limiter, pause=pause)


def _wait(
    failure: TryAgain, what: str, failed: int, limits: Limits, *, rate_limiter: RateLimiter, pause: Pause
) -> None:
    longest = limits.longest_wait.total_seconds()
    asked = failure.retry_after
    if asked is not None:
        rate_limiter.suspend(asked)
        if asked > longest:
            raise Throttled(
                f"{what}: {failure.reason}, to be asked again in {asked:.0f} s, longer than {longest:.0f} s",
                asked,
            ) from None
    if failed >= limits.attempts:
        times = "once" if failed == 1 else f"{failed} times"
        raise SourceUnavailable(f"{what}: {failure.reason}; tried {times}") from None
    seconds = min(backoff(failed), longest) if asked is None else asked
    logger.warning(
        "%s: %s; try %d of %d in %.1f s", what, failure.reason, failed + 1, limits.attempts, seconds
    )
    if asked is None:
        pause(seconds)


def backoff(failed: int) -> float:
    """Seconds to wait after so many failures: doubles from half a second, with jitter to spread readers."""
    jitter = SystemRandom().uniform(0.5, 1)
    return float(_FIRST_DELAY * 2 ** (failed - 1) * jitter)


def check_status(status: int, headers: Mapping[str, str], what: str, now: float, url: str = "") -> None:
    """Raise for a status that the request did not expect.

    Args:
        status: of the response.
        headers: of the response.
        what: names it in errors.
        now: Unix seconds.
        url: that was requested; errors show only the names of its parameters.

    Raises:
        TryAgain: 408, 429 and 5xx.
        CredentialsRefused: 401 and 403.
        RequestRefused: any other.
    """
    if status in {401, 403}:
        raise CredentialsRefused(status)
    if status in {408, 429} or 500 <= status <= 599:
        raise TryAgain(f"answered {status}", retry_after(headers.get("Retry-After"), now))
    if 300 <= status <= 399:
        raise RequestRefused(f"{what}: answered {status}, a redirect, which credentials do not follow")
    raise RequestRefused(f"{what}: answered {status}; check {_suspects(status, url)} in its connector.yaml")


def _suspects(status: int, url: str) -> str:
    # An address that the source gave may hold personal data even in the names of its parameters.
    names = [name for name in parse_qs(urlsplit(url).query) if re.fullmatch(r"[A-Za-z_.-]{1,40}", name)]
    if status in {404, 405, 410}:
        return "the path"
    return f"the path and the parameters sent ({', '.join(names)})" if names else "the path and parameters"


def retry_after(text: str | None, now: float) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date (RFC 9110 section 10.2.3)."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now)
