"""Failures of a request, without values, addresses or secrets; `retry` says which are retried."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3

from oncehub.errors import AuthenticationError, OncehubError, ResourcesExhausted
from oncehub.exhaustion import remedy

HTTP_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What sending a request and reading its response raise when the network or the source fails."""


class TryAgain(Exception):
    """A failure that a repetition of the request may cure.

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
    for cause in causes:
        if isinstance(cause, OSError) and (advice := remedy(cause)):
            return ResourcesExhausted(f"{what}: {advice}")
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
        return "no complete response in time"
    return "connection broken before the response was complete"


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
