"""How the hub proves to a source who it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote_plus, urlsplit

import requests

from oncehub.connect.auth.fixed import (
    KeyInCookie,
    KeyInHeader,
    KeyInQuery,
    basic,
    bearer,
    without_parameter,
)
from oncehub.connect.failures import TryAgain
from oncehub.connect.requesting import Answer, Authentication, Requester
from oncehub.model.access import ApiKey, Auth, Basic, Bearer, Hmac, OAuth2
from oncehub.model.connection import Connection
from oncehub.model.connector import Connector
from oncehub.model.errors import AuthenticationError, ConfigError, ContractBroken

Clock = Callable[[], float]


class Signer(Protocol):
    """A connector's own way of signing: what its `connector.py` defines as `sign`."""

    def __call__(self, request: requests.PreparedRequest, connection: Connection, /) -> None:
        """Add what the source asks for to a request that is otherwise complete."""


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
    connector: Connector, connection: Connection, requester: Requester, signer: Signer | None = None
) -> Authentication | None:
    """Return what signs requests to the source; None where the session itself proves it, or nobody asks.

    Args:
        connector: says how.
        connection: has the credentials.
        requester: fetches tokens; it has no authentication of its own.
        signer: the connector's own, signs after what `auth` asks for.

    Raises:
        ConfigError: when the connection lacks what the kind needs.
    """
    own = _own(connector, connection, requester)
    return own if signer is None else AlsoSigned(own, signer, connection)


def without_key(auth: Auth, url: str) -> str:
    """Return an address that a source has given, without the key it may repeat, so that it may be kept."""
    return without_parameter(url, auth.query) if isinstance(auth, ApiKey) and auth.query else url


def _own(connector: Connector, connection: Connection, requester: Requester) -> Authentication | None:
    match connector.auth:
        case ApiKey() as place:
            return _key(place, _needed(connector, connection, "password", "API key"))
        case Basic():
            login = _needed(connector, connection, "login", "user name")
            return basic(login, _needed(connector, connection, "password", "password"))
        case Bearer():
            return bearer(_needed(connector, connection, "password", "token"))
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


def _key(place: ApiKey, key: str) -> Authentication:
    match place:
        case ApiKey(header=str(header)):
            return KeyInHeader(header, key)
        case ApiKey(query=str(parameter)):
            return KeyInQuery(parameter, key)
        case _:
            return KeyInCookie(str(place.cookie), key)


class AlsoSigned:
    """A connector's own signature on top of what its `auth` adds."""

    def __init__(self, inner: Authentication | None, signer: Signer, connection: Connection) -> None:
        self._inner = inner
        self._signer = signer
        self._connection = connection

    def prepare(self) -> None:
        """Fetch what the inner one needs."""
        if self._inner:
            self._inner.prepare()

    def sign(self, request: requests.PreparedRequest) -> None:
        """Sign, so that the connector's signature may cover the credentials."""
        if self._inner:
            self._inner.sign(request)
        self._signer(request, self._connection)

    def renew(self, refused: requests.PreparedRequest) -> bool:
        """Whether the inner one has anything fresher."""
        return self._inner is not None and self._inner.renew(refused)


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

    def prepare(self) -> None:
        """There is nothing to fetch."""

    def renew(self, refused: requests.PreparedRequest) -> bool:  # noqa: ARG002
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

    def prepare(self) -> None:
        """Fetch a token where there is no live one."""
        if self._token is None or self._clock() >= self._token.renew_at:
            self._token = self._fetch()

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the token."""
        assert self._token is not None
        request.headers["Authorization"] = f"Bearer {self._token.text}"

    def renew(self, refused: requests.PreparedRequest) -> bool:  # noqa: ARG002
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
