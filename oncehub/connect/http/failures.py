"""What may go wrong with one request, told without a value, an address or a secret."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

import requests
import urllib3

from oncehub.errors import AuthenticationError, OncehubError, RequestRefused

HTTP_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""All that sending a request and reading its answer raise when the network or the source fails."""


class TryAgain(Exception):
    """A failure that another try may cure.

    Attributes:
        reason: what went wrong, without values.
        retry_after: seconds that the source asked to wait, where it did.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class CredentialsRefused(Exception):
    """The source answered 401 or 403 (`status`).

    Attributes:
        renewable: whether the credentials were of a kind that is fetched afresh, which may help once.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}")
        self.status = status
        self.renewable = False


def network_failure(error: Exception, what: str) -> TryAgain | OncehubError:
    """Return what to raise for one of `HTTP_ERRORS`; the cause itself would quote addresses."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return AuthenticationError(
            f"{what}: the source's certificate is not trusted for its address; "
            "check the connection's host, and `ca` in its extra"
        )
    if any(_is_refusal(cause) for cause in causes):
        return AuthenticationError(
            f"{what}: TLS was refused; check `client_certificate` and `client_key` in the connection's extra"
        )
    return TryAgain(_broken_how(causes))


def _broken_how(causes: list[BaseException]) -> str:
    def any_is(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if any_is(ConnectionRefusedError):
        return "connection refused"
    if any_is(socket.gaierror):
        return "its host name is not found"
    if any_is(requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return "no complete answer in time"
    return "connection broken before the answer was complete"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Paginator an exception and those it wraps: requests and urllib3 keep them in `args` and `reason`."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting.extend(found for found in inner if isinstance(found, BaseException))


def _is_refusal(cause: BaseException) -> bool:
    """Whether TLS ended by an alert of the source, rather than because the connection broke."""
    return isinstance(cause, ssl.SSLError) and "ALERT" in (getattr(cause, "reason", None) or "")


def check_status(status: int, headers: Mapping[str, str], what: str, now: float, url: str = "") -> None:
    """Raise for a status that is no answer.

    Args:
        status: of the answer.
        headers: of the answer.
        what: names it in errors.
        now: Unix seconds.
        url: that was asked; of it errors tell nothing but names of parameters.

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
    # An address that the source gave may hold anything, also in the place of a name.
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
