"""OAuth 2.0 client credentials (RFC 6749 section 4.4)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

import requests

from oncehub.connect.formats.json import parse_json
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.responses import Response
from oncehub.errors import AuthenticationError, ContractBroken

Clock = Callable[[], float]

# A token is renewed this long before it ends, so that it does not end on its way.
_MARGIN_SECONDS = 30.0
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_TOKEN_ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}
"""RFC 6749 section 5.2; nothing else of an error answer is repeated."""


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    renew_at: float

    @property
    def header(self) -> str:
        return f"Bearer {self.text}"


class BearerTokens:
    """Signs with a token that is used until shortly before it ends; shared by threads."""

    def __init__(
        self,
        requester: Requester,
        url: str,
        *,
        scope: str | None,
        what: str,
        clock: Clock = time.monotonic,
    ) -> None:
        """Fetch nothing yet.

        Args:
            requester: whose authentication proves the client to the token endpoint.
            url: of the token endpoint.
            scope: sent as it stands.
            what: names the token in errors.
            clock: seconds.
        """
        self._requester = requester
        self._url = url
        self._scope = scope
        self._what = what
        self._clock = clock
        self._lock = Lock()
        self._token: _Token | None = None

    def prepare(self) -> None:
        """Fetch a token where there is no live one."""
        with self._lock:
            if self._token is None or self._clock() >= self._token.renew_at:
                self._token = self._fetch()

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the token."""
        assert self._token is not None
        request.headers["Authorization"] = self._token.header

    def renew(self, refused: requests.PreparedRequest) -> bool:
        """Let the next request fetch a token, unless another thread has one that is not the refused."""
        with self._lock:
            if self._token and self._token.header == refused.headers.get("Authorization"):
                self._token = replace(self._token, renew_at=float("-inf"))
        return True

    def _fetch(self) -> _Token:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        request = requests.Request("POST", self._url, data=form, headers={"Accept": "application/json"})
        return self._requester.send(request, self._what, self._read, accept=(200, 400, 401, 403))

    def _read(self, answer: Response) -> _Token:
        if answer.status != 200:
            raise AuthenticationError(
                f"{self._what}: answered {answer.status}{_token_error(answer)}; check the credentials in the"
                " source's connection, and client_auth and the scope in its connector.yaml"
            )
        content = parse_json(answer.body)
        match content:
            case {"access_token": str(text)} if _VISIBLE.fullmatch(text):
                _check_type(content.get("token_type"), self._what)
                return _Token(text, self._clock() + _lifetime(content.get("expires_in")))
            case _:
                raise ContractBroken(f"{self._what}: the answer holds no access_token")


def _check_type(kind: object, what: str) -> None:
    """Other kinds of token need another kind of signing; one untold is taken for a bearer's."""
    if isinstance(kind, str) and kind.lower() != "bearer":
        raise ContractBroken(f"{what}: is no bearer token")


def _lifetime(expires_in: object) -> float:
    """Seconds to use a token; one of untold life is used until it is refused."""
    if not isinstance(expires_in, int | float):
        return float("inf")
    return max(float(expires_in) - _MARGIN_SECONDS, expires_in / 2)


def _token_error(answer: Response) -> str:
    try:
        content = parse_json(answer.body)
    except TryAgain:
        return ""
    error = content.get("error") if isinstance(content, dict) else None
    return f" ({error})" if error in _TOKEN_ERRORS else ""
