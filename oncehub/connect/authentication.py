"""How the hub proves to a source who it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlsplit

import requests

from oncehub.connect.failures import TryAgain
from oncehub.connect.requesting import Answer, Authentication, Requester
from oncehub.model.access import ApiKey, Hmac, OAuth2
from oncehub.model.connection import Connection
from oncehub.model.connector import Connector
from oncehub.model.errors import AuthenticationError, ConfigError, ContractBroken

Clock = Callable[[], float]

# A token is renewed this long before it ends, so that it does not end on its way.
_MARGIN_SECONDS = 30.0
_TOKEN_ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}
"""RFC 6749 section 5.2; nothing else of an error answer is repeated."""


def authentication_of(
    connector: Connector, connection: Connection, requester: Requester
) -> Authentication | None:
    """Return what signs requests to the source; None where the session itself proves it, or nobody asks.

    `requester` fetches tokens; it has no authentication of its own.

    Raises:
        ConfigError: when the connection lacks what the kind needs.
    """
    match connector.auth:
        case ApiKey(header=str(header)):
            return KeyInHeader(header, _needed(connector, connection, "password", "API key"))
        case Hmac() as headers:
            key_id = _needed(connector, connection, "login", "key id")
            secret = _needed(connector, connection, "password", "signing secret")
            return SignedRequests(headers, key_id, secret)
        case OAuth2(token_path=path, scope=scope):
            client = (
                _needed(connector, connection, "login", "client id"),
                _needed(connector, connection, "password", "client secret"),
            )
            what = f"{connector.source}: token"
            return BearerTokens(requester, connection.host + path, client, scope=scope, what=what)
        case _:
            return None


def _needed(connector: Connector, connection: Connection, name: str, meaning: str) -> str:
    value = connection.login if name == "login" else connection.password
    if not value:
        raise ConfigError(f"connection of {connector.source}: {name} is missing; give the {meaning}")
    return value


class KeyInHeader:
    """A fixed key in a header."""

    def __init__(self, header: str, key: str) -> None:
        self._header = header
        self._key = key

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the key."""
        request.headers[self._header] = self._key

    def renew(self) -> bool:
        """There is one key only."""
        return False


class SignedRequests:
    """HMAC-SHA256 over method, path, query, timestamp and the body's SHA-256, one a line; lower-case hex."""

    def __init__(self, headers: Hmac, key_id: str, secret: str, clock: Clock = time.time) -> None:
        self._headers = headers
        self._key_id = key_id
        self._secret = secret.encode()
        self._clock = clock

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add key id, timestamp and signature; the query counts as it is sent, escapes included."""
        timestamp = str(int(self._clock()))
        url = urlsplit(request.url or "")
        body = request.body or b""
        digest = hashlib.sha256(body if isinstance(body, bytes) else str(body).encode()).hexdigest()
        text = "\n".join([request.method or "", str(url.path), str(url.query), timestamp, digest])
        request.headers[self._headers.key_id_header] = self._key_id
        request.headers[self._headers.timestamp_header] = timestamp
        request.headers[self._headers.signature_header] = hmac.new(
            self._secret, text.encode(), hashlib.sha256
        ).hexdigest()

    def renew(self) -> bool:
        """Every request is signed afresh already."""
        return False


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    renew_at: float


class BearerTokens:
    """OAuth 2.0 client credentials (RFC 6749 section 4.4), each token used until shortly before it ends."""

    def __init__(
        self,
        requester: Requester,
        url: str,
        client: tuple[str, str],
        *,
        scope: str | None,
        what: str,
        clock: Clock = time.monotonic,
    ) -> None:
        self._requester = requester
        self._url = url
        self._client = client
        self._scope = scope
        self._what = what
        self._clock = clock
        self._token: _Token | None = None

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add a live token, fetched first where there is none."""
        if self._token is None or self._clock() >= self._token.renew_at:
            self._token = self._fetch()
        request.headers["Authorization"] = f"Bearer {self._token.text}"

    def renew(self) -> bool:
        """Forget the token, so that the next request fetches one."""
        self._token = None
        return True

    def _fetch(self) -> _Token:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        # RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
        pair = ":".join(quote_plus(part) for part in self._client).encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "application/json"}
        request = requests.Request("POST", self._url, data=form, headers=headers)
        return self._requester.send(request, self._what, self._read, accept=(200, 400, 401, 403))

    def _read(self, answer: Answer) -> _Token:
        if answer.status != 200:
            raise AuthenticationError(
                f"{self._what}: answered {answer.status}{_token_error(answer)}; check login and password in"
                " the source's connection, and the scope in its connector.yaml"
            )
        content = answer.json()
        match content:
            case {"access_token": str(text)} if text:
                return _Token(text, self._clock() + _lifetime(content.get("expires_in")))
            case _:
                raise ContractBroken(f"{self._what}: the answer holds no access_token")


def _lifetime(expires_in: object) -> float:
    """Seconds to use a token; one of untold life is used until it is refused."""
    if not isinstance(expires_in, int | float):
        return float("inf")
    return max(float(expires_in) - _MARGIN_SECONDS, expires_in / 2)


def _token_error(answer: Answer) -> str:
    try:
        content = answer.json()
    except TryAgain:
        return ""
    error = content.get("error") if isinstance(content, dict) else None
    return f" ({error})" if error in _TOKEN_ERRORS else ""
