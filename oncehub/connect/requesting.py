"""One request to a source: paced, bounded in time and size, and retried where a retry may cure."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from secrets import SystemRandom
from typing import Any, Protocol, TypeVar

import orjson
import requests

from oncehub.connect.failures import (
    HTTP_ERRORS,
    CredentialsRefused,
    TryAgain,
    check_status,
    network_failure,
)
from oncehub.connect.rates import Pause, RateLimit
from oncehub.model.access import Limits
from oncehub.model.errors import AuthenticationError, ContractBroken, SourceUnavailable, Throttled

logger = logging.getLogger(__name__)

_FIRST_DELAY = 0.5
_CHUNK_BYTES = 65_536

Read = TypeVar("Read")


@dataclass(frozen=True)
class Answer:
    """A whole answer; `body` is freed of its content encoding."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Parse the body.

        Raises:
            TryAgain: when it is no JSON, as half a page or a maintenance page is not.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise TryAgain("the answer is not JSON") from None


class Authentication(Protocol):
    """Adds the hub's credentials to requests."""

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add credentials to a request that is otherwise complete."""

    def renew(self) -> bool:
        """Drop what was refused; False when there is nothing fresher to try."""


@dataclass(frozen=True)
class Requester:
    """Sends requests within a source's limits.

    Attributes:
        rate: shared by all that read the source.
        authentication: None sends requests as they are.
        pause: sleeps; raises when reading was given up.
        clock: Unix seconds.
    """

    session: requests.Session
    limits: Limits
    rate: RateLimit
    authentication: Authentication | None = field(default=None, repr=False)
    pause: Pause = time.sleep
    clock: Callable[[], float] = time.time

    def get(self, url: str, what: str, read: Callable[[Answer], Read]) -> Read:
        """Send a GET; see `send`."""
        return self.send(requests.Request("GET", url), what, read)

    def send(
        self,
        request: requests.Request,
        what: str,
        read: Callable[[Answer], Read],
        *,
        accept: Collection[int] = (200,),
    ) -> Read:
        """Send a request until `read` makes sense of an answer; `what` names it in errors and logs.

        Args:
            request: without credentials.
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
        renewed = False
        tried = 0
        while True:
            try:
                answer = self._exchange(request, what, accept)
                return read(answer)
            except CredentialsRefused as refused:
                if renewed or not (self.authentication and self.authentication.renew()):
                    raise AuthenticationError(
                        f"{what}: answered {refused.status}; check the credentials in the source's connection"
                    ) from None
                renewed = True
            except TryAgain as failure:
                tried += 1
                self._wait(failure, what, tried)

    def _wait(self, failure: TryAgain, what: str, tried: int) -> None:
        longest = self.limits.longest_wait.total_seconds()
        asked = failure.retry_after
        if asked is not None and asked > longest:
            message = (
                f"{what}: {failure.reason}, to be asked again in {asked:.0f} s, longer than {longest:.0f} s"
            )
            raise Throttled(message, asked) from None
        if tried >= self.limits.attempts:
            times = "once" if tried == 1 else f"{tried} times"
            raise SourceUnavailable(f"{what}: {failure.reason}; tried {times}") from None
        seconds = min(backoff(tried), longest) if asked is None else asked
        logger.warning(
            "%s: %s; try %d of %d in %.1f s", what, failure.reason, tried + 1, self.limits.attempts, seconds
        )
        self.pause(seconds)

    def _exchange(self, request: requests.Request, what: str, accept: Collection[int]) -> Answer:
        self.rate.wait(self.pause)
        prepared = self.session.prepare_request(request)
        if self.authentication:
            self.authentication.sign(prepared)
        timeout = self.limits.timeout.total_seconds()
        deadline = time.monotonic() + timeout
        try:
            response = self.session.send(prepared, stream=True, timeout=timeout, allow_redirects=False)
            with response:
                if response.status_code not in accept:
                    check_status(response.status_code, response.headers, what, self.clock())
                body = self._body(response, what, deadline)
        except HTTP_ERRORS as error:
            raise network_failure(error, what) from None
        return Answer(response.status_code, response.headers, body)

    def _body(self, response: requests.Response, what: str, deadline: float) -> bytes:
        """Read as bytes arrive, so that neither an endless nor a trickling answer holds the run."""
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self.limits.page_bytes:
                raise ContractBroken(
                    f"{what}: the answer is larger than limits.page_bytes ({self.limits.page_bytes})"
                )
            if time.monotonic() > deadline:
                raise TryAgain("no complete answer in time")
        return bytes(body)


def backoff(tried: int) -> float:
    """Seconds before the next try: doubling from half a second, with jitter so that readers spread."""
    jitter = SystemRandom().uniform(0.5, 1)
    return float(_FIRST_DELAY * 2 ** (tried - 1) * jitter)
