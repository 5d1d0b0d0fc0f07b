"""Sends the hub's requests to a source: rate-limited, bounded in time and size, and retried.

The library of the name `requests` carries them; `session` sets it up.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

import requests

from oncehub.config.access import Limits
from oncehub.connect.http.failures import HTTP_ERRORS, CredentialsRefused, TryAgain, network_failure
from oncehub.connect.http.local_rate_limiter import Pause, RateLimiter
from oncehub.connect.http.responses import Response, chunks_of, copied, taken
from oncehub.connect.http.retry import check_status, with_retries
from oncehub.errors import RequestRefused
from oncehub.traces import span

Result = TypeVar("Result")

_SAY_WHAT_TO_DO = {401, 403, 408, 429, 503}


class Authentication(ABC):
    """Adds the hub's credentials to requests."""

    def prepare(self) -> None:  # noqa: B027 - most kinds fetch nothing
        """Fetch what signing needs; before the request's turn, as fetching takes a turn of its own."""

    @abstractmethod
    def sign(self, request: requests.PreparedRequest) -> None:
        """Add credentials to a request that is otherwise complete."""

    def renew(self, refused: requests.PreparedRequest) -> bool:  # noqa: ARG002
        """Discard what `refused` was signed with; False when there is nothing fresher to try."""
        return False


@dataclass(frozen=True)
class Requester:
    """Sends requests within a source's limits.

    Attributes:
        rate_limiter: shared by all that read the source.
        authentication: None sends requests as they are.
        plugin: the connector's own signer; it signs last, so that its signature may cover the credentials.
        pause: sleeps; raises when reading was given up.
        clock: Unix seconds.
    """

    session: requests.Session
    limits: Limits
    rate_limiter: RateLimiter
    authentication: Authentication | None = field(default=None, repr=False)
    plugin: Callable[[requests.PreparedRequest], None] | None = field(default=None, repr=False)
    pause: Pause = time.sleep
    clock: Callable[[], float] = time.time

    def send(
        self,
        request: requests.Request,
        what: str,
        read: Callable[[Response], Result],
        *,
        accept: Collection[int] = (200,),
        explain: Callable[[Response], str | None] | None = None,
    ) -> Result:
        """Send a request until `read` accepts a response; `what` names it in errors and logs.

        Args:
            request: without credentials; one that may be repeated.
            what: e.g. `tax.registrations: page 4`; no values.
            read: makes the result, or raises `TryAgain`; gets responses whose status is in `accept`.
            accept: statuses that `read` can use.
            explain: reads what another response reports, which then ends the tries. It is not asked where the
                status itself says what to do: 401, 403, 408, 429, 503.

        Raises:
            SourceUnavailable: none of `limits.attempts` tries gave a whole response.
            Throttled: asked to wait longer than `limits.longest_wait`.
            AuthenticationError: 401, 403 or TLS refused.
            RequestRefused: any other status, and a failure that `explain` can read.
            ContractBroken: the response is larger than `limits.page_bytes`.
        """
        most, seconds = self.limits.page_bytes, self.limits.timeout.total_seconds()

        def take(response: requests.Response) -> Response:
            return taken(response, what, most=most, seconds=seconds)

        return self._retried(what, lambda: read(self._exchange(request, what, accept, take, explain)))

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
            # A cut body whose length header agrees with it is noticed only here.
            if copied(chunks_of(response, what), what, into, most=self.limits.file_bytes) != sha256:
                raise TryAgain("its SHA-256 is not the manifest's")

        self._retried(what, lambda: self._exchange(request, what, (200,), take))

    def _retried(self, what: str, attempt: Callable[[], Result]) -> Result:
        return with_retries(attempt, what, self.limits, rate_limiter=self.rate_limiter, pause=self.pause)

    def _exchange(
        self,
        request: requests.Request,
        what: str,
        accept: Collection[int],
        take: Callable[[requests.Response], Result],
        explain: Callable[[Result], str | None] | None = None,
    ) -> Result:
        if self.authentication:
            self.authentication.prepare()
        told = {"http.request.method": request.method, "oncehub.request": what}
        with self.rate_limiter.turn(self.pause), span("request a source", told, kind="client") as traced:
            prepared = self.session.prepare_request(request)
            if self.authentication:
                self.authentication.sign(prepared)
            if self.plugin:
                self.plugin(prepared)
            timeout = self.limits.timeout.total_seconds()
            try:
                with self.session.send(
                    prepared, stream=True, timeout=timeout, allow_redirects=False
                ) as response:
                    traced.set_attribute("http.response.status_code", response.status_code)
                    status = response.status_code
                    if status not in accept:
                        asked = explain if status not in _SAY_WHAT_TO_DO else None
                        if asked and (failure := asked(take(response))):
                            raise RequestRefused(f"{what}: answered {status}; the source reports: {failure}")
                        check_status(status, response.headers, what, self.clock(), prepared.url or "")
                    return take(response)
            except CredentialsRefused as refused:
                refused.renewable = bool(self.authentication and self.authentication.renew(prepared))
                raise
            except HTTP_ERRORS as error:
                raise network_failure(error, what) from None
