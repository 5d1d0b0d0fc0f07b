"""OAuth 2.0 client credentials (RFC 6749 section 4.4): tokens, and how a client proves itself to fetch them.

The ways to prove itself have the names of RFC 8414.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from urllib.parse import quote_plus, urlencode

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from oncehub.connect.auth.private_keys import PrivateKey
from oncehub.connect.auth.static_credentials import KeyInHeader, basic
from oncehub.connect.formats.json import parse_strictly
from oncehub.connect.formats.reported import reported
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.requester import Authentication, Requester
from oncehub.connect.http.responses import Response
from oncehub.errors import AuthenticationError, ConfigError, ContractBroken

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
"""RFC 6749 section 5.2."""

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""

_ASSERTION_SECONDS = 60
_BY_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "secp256k1": "ES256K"}


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    renew_at: float

    @property
    def header(self) -> str:
        return f"Bearer {self.text}"


class BearerTokens(Authentication):
    """Signs with a token that is used until shortly before it expires; threads share it."""

    def __init__(
        self,
        requester: Requester,
        url: str,
        *,
        scope: str | None,
        what: str,
        credentials: tuple[str, ...] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        """Fetch nothing yet.

        Args:
            requester: whose authentication proves the client to the token endpoint.
            url: of the token endpoint.
            scope: sent as it stands.
            what: names the token in errors.
            credentials: left out of what the endpoint reports.
            clock: seconds.
        """
        self._requester = requester
        self._url = url
        self._scope = scope
        self._what = what
        self._credentials = credentials
        self._clock = clock
        self._lock = Lock()
        self._token: _Token | None = None

    def prepare(self) -> None:
        """Fetch a token unless one is still valid."""
        with self._lock:
            if self._token is None or self._clock() >= self._token.renew_at:
                self._token = self._fetch()

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the token."""
        assert self._token is not None
        request.headers["Authorization"] = self._token.header

    def renew(self, refused: requests.PreparedRequest) -> bool:
        """Let the next request fetch a token, unless another thread has already replaced the refused one."""
        with self._lock:
            if self._token and self._token.header == refused.headers.get("Authorization"):
                self._token = replace(self._token, renew_at=float("-inf"))
        return True

    def _fetch(self) -> _Token:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        request = requests.Request("POST", self._url, data=form, headers={"Accept": "application/json"})
        return self._requester.send(request, self._what, self._read, accept=(200, 400, 401, 403))

    def _read(self, response: Response) -> _Token:
        if response.status != 200:
            reason = _token_error(response, self._credentials)
            raise AuthenticationError(
                f"{self._what}: answered {response.status}{reason}; check the credentials in the source's"
                " connection, and client_auth and the scope in its connector.yaml"
            )
        content = parse_strictly(response.body)
        match content:
            case {"access_token": str(text)} if _VISIBLE.fullmatch(text):
                _check_type(content.get("token_type"), self._what)
                return _Token(text, self._clock() + _lifetime(content.get("expires_in")))
            case _:
                raise ContractBroken(f"{self._what}: the response holds no access_token")


def _check_type(kind: object, what: str) -> None:
    """Refuse tokens that are not sent as bearer tokens; one of no declared type counts as such."""
    if isinstance(kind, str) and kind.lower() != "bearer":
        raise ContractBroken(f"{what}: is no bearer token")


def _lifetime(expires_in: object) -> float:
    """Seconds to use a token; one without a declared lifetime is used until it is refused."""
    if not isinstance(expires_in, int | float):
        return float("inf")
    return max(float(expires_in) - _MARGIN_SECONDS, expires_in / 2)


def _token_error(response: Response, credentials: tuple[str, ...]) -> str:
    try:
        content = parse_strictly(response.body)
    except TryAgain:
        return ""
    if not isinstance(content, dict):
        return ""
    said = [each for each in [content.get("error")] if each in _TOKEN_ERRORS]
    if isinstance(description := content.get("error_description"), str):
        said.append(reported(description, credentials))
    return f" ({': '.join(said)})" if said else ""


def client_secret_basic(client_id: str, secret: str) -> KeyInHeader:
    """Return what sends both in a header, form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    return basic(quote_plus(client_id), quote_plus(secret))


def client_secret_post(client_id: str, secret: str) -> InForm:
    """Return what sends both in the form (RFC 6749 section 2.3.1)."""
    return InForm(lambda: {"client_id": client_id, "client_secret": secret})


def private_key_jwt(
    client_id: str, key: PrivateKey, key_id: str | None, audience: str, algorithm: str | None = None
) -> InForm:
    """Return what sends a new signed assertion with every request (RFC 7523 section 3).

    Args:
        client_id: issuer and subject.
        key: a JWK's `alg` decides on the algorithm; without one the kind of key does.
        key_id: `kid`; that of the JWK unless given.
        audience: the token endpoint, or what the source calls itself.
        algorithm: `alg`, before that of the JWK.

    Raises:
        ConfigError: when the key cannot sign by its algorithm.
    """
    header = {"alg": algorithm or _algorithm(key), "typ": "JWT"}
    if kid := key_id or key.kid:
        header["kid"] = kid

    def assertion() -> dict[str, str]:
        now = int(time.time())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": str(uuid.uuid4()),
        }
        signed = jwt.encode(header, claims, key, algorithms=[header["alg"]])
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    try:
        assertion()
    except (JoseError, ValueError):
        raise ConfigError(
            f"the private key cannot sign by {header['alg']}; its kind, the JWK's alg, or"
            " auth.algorithm does not fit"
        ) from None
    return InForm(assertion)


class InForm(Authentication):
    """Adds fields to a form as it is sent, made anew for every try."""

    def __init__(self, fields: Callable[[], Mapping[str, str]]) -> None:
        self._fields = fields

    def sign(self, request: requests.PreparedRequest) -> None:
        """Append the fields."""
        body = f"{request.body!s}&{urlencode(self._fields())}"
        request.body = body
        request.prepare_content_length(body)


def _algorithm(key: PrivateKey) -> str:
    if stated := key.alg:
        return stated
    if isinstance(key, ECKey):
        return _BY_CURVE[key.curve_name]
    return "Ed25519" if isinstance(key, OKPKey) else "RS256"
