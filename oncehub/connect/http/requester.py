"""One request to a source: paced, bounded in time and size, and retried where a retry may cure."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from secrets import SystemRandom
from typing import BinaryIO, Protocol, TypeVar

import requests

from oncehub.config.access import Limits
from oncehub.connect.http.failures import (
    HTTP_ERRORS,
    CredentialsRefused,
    TryAgain,
    check_status,
    network_failure,
)
from oncehub.connect.http.rate_limiter import Pause, RateLimiter
from oncehub.connect.http.responses import Response, copied, taken
from oncehub.errors import AuthenticationError, SourceUnavailable, Throttled

__all__ = ["Authentication", "Requester", "Response", "backoff"]

logger = logging.getLogger(__name__)

_FIRST_DELAY = 0.5

Read = TypeVar("Read")


class Authentication(Protocol):
    """Adds the hub's credentials to requests."""

    def prepare(self) -> None:
        """Fetch what signing needs; before the request's turn, as fetching takes a turn of its own."""

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add credentials to a request that is otherwise complete."""

    def renew(self, refused: requests.PreparedRequest) -> bool:
        """Drop what `refused` was signed with; False when there is nothing fresher to try."""


@dataclass(frozen=True)
class Requester:
    """Sends requests within a source's limits.

    Attributes:
        pace: shared by all that read the source.
        authentication: None sends requests as they are.
        pause: sleeps; raises when reading was given up.
        clock: Unix seconds.
    """

    session: requests.Session
    limits: Limits
    rate_limiter: RateLimiter
    authentication: Authentication | None = field(default=None, repr=False)
    pause: Pause = time.sleep
    clock: Callable[[], float] = time.time

    def get(self, url: str, what: str, read: Callable[[Response], Read]) -> Read:
        """Send a GET; see `send`."""
        return self.send(requests.Request("GET", url), what, read)

    def send(
        self,
        request: requests.Request,
        what: str,
        read: Callable[[Response], Read],
        *,
        accept: Collection[int] = (200,),
    ) -> Read:
        """Send a request until `read` makes sense of an answer; `what` names it in errors and logs.

        Args:
            request: without credentials; one that may be repeated.
            what: e.g. `tax.registrations: page 4`; no values.
            read: makes the result, or raises `TryAgain`; given answers whose status is in `accept`.
            accept: statuses that are answers.

        Raises:
            SourceUnavailable: no try out of `limits.attempts` gave a whole answer.
            Throttled: asked to wait longer than `limits.longest_wait`.
            AuthenticationError: 401, 403 or TLS refused.
            RequestRefused: any other status.
            ContractBroken: the answer is larger than `limits.page_bytes`.
        """
        most, seconds = self.limits.page_bytes, self.limits.timeout.total_seconds()

        def take(response: requests.Response) -> Response:
            return taken(response, what, most=most, seconds=seconds)

        return self._tried(what, lambda: read(self._exchange(request, what, accept, take)))

    def download(self, request: requests.Request, what: str, into: BinaryIO, sha256: str) -> None:
        """Copy a body into a file until it is the one expected; each try begins with an empty file.

        Args:
            request: without credentials; one that may be repeated.
            what: names the body in errors and logs.
            into: seekable.
            sha256: that the body must have, lower-case hex.

        Raises:
            SourceUnavailable: also when no try gave the body with that sum.
            ContractBroken: the body is larger than `limits.file_bytes`.
            TransientError: `into` cannot be written.
            SourceError: as `send`.
        """

        def take(response: requests.Response) -> None:
            into.seek(0)
            into.truncate()
            # Half a body whose length header was cut alike is noticed only here.
            if copied(response, what, into, most=self.limits.file_bytes) != sha256:
                raise TryAgain("its SHA-256 is not the manifest's")

        self._tried(what, lambda: self._exchange(request, what, (200,), take))

    def _tried(self, what: str, attempt: Callable[[], Read]) -> Read:
        renewed = False
        tried = 0
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
                tried += 1
                self._wait(failure, what, tried)

    def _wait(self, failure: TryAgain, what: str, tried: int) -> None:
        longest = self.limits.longest_wait.total_seconds()
        asked = failure.retry_after
        if asked is not None:
            self.rate_limiter.suspend(asked)
            if asked > longest:
                raise Throttled(
                    f"{what}: {failure.reason}, to be asked again in {asked:.0f} s,"
                    f" longer than {longest:.0f} s",
                    asked,
                ) from None
        if tried >= self.limits.attempts:
            times = "once" if tried == 1 else f"{tried} times"
            raise SourceUnavailable(f"{what}: {failure.reason}; tried {times}") from None
        seconds = min(backoff(tried), longest) if asked is None else asked
        logger.warning(
            "%s: %s; try %d of %d in %.1f s", what, failure.reason, tried + 1, self.limits.attempts, seconds
        )
        if asked is None:
            self.pause(seconds)

    def _exchange(
        self,
        request: requests.Request,
        what: str,
        accept: Collection[int],
        take: Callable[[requests.Response], Read],
    ) -> Read:
        if self.authentication:
            self.authentication.prepare()
        with self.rate_limiter.turn(self.pause):
            prepared = self.session.prepare_request(request)
            if self.authentication:
                self.authentication.sign(prepared)
            try:
                return self._received(prepared, what, accept, take)
            except CredentialsRefused as refused:
                refused.renewable = bool(self.authentication and self.authentication.renew(prepared))
                raise

    def _received(
        self,
        prepared: requests.PreparedRequest,
        what: str,
        accept: Collection[int],
        take: Callable[[requests.Response], Read],
    ) -> Read:
        timeout = self.limits.timeout.total_seconds()
        try:
            response = self.session.send(prepared, stream=True, timeout=timeout, allow_redirects=False)
            with response:
                if response.status_code not in accept:
                    url = prepared.url or ""
                    check_status(response.status_code, response.headers, what, self.clock(), url)
                return take(response)
        except HTTP_ERRORS as error:
            raise network_failure(error, what) from None


def backoff(tried: int) -> float:
    """Seconds before the next try: doubling from half a second, with jitter so that readers spread."""
    jitter = SystemRandom().uniform(0.5, 1)
    return float(_FIRST_DELAY * 2 ** (tried - 1) * jitter)
