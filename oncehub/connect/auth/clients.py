"""How an OAuth 2.0 client proves itself to the token endpoint, by the names of RFC 8414."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus, urlencode

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from oncehub.connect.auth.private_keys import PrivateKey
from oncehub.connect.auth.static_credentials import Fixed, KeyInHeader, basic
from oncehub.errors import ConfigError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""

_ASSERTION_SECONDS = 60
_BY_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "secp256k1": "ES256K"}


def client_secret_basic(client_id: str, secret: str) -> KeyInHeader:
    """Return what sends both in a header, form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    return basic(quote_plus(client_id), quote_plus(secret))


def client_secret_post(client_id: str, secret: str) -> InForm:
    """Return what sends both in the form (RFC 6749 section 2.3.1)."""
    return InForm(lambda: {"client_id": client_id, "client_secret": secret})


def private_key_jwt(client_id: str, key: PrivateKey, key_id: str | None, audience: str) -> InForm:
    """Return what sends a new signed assertion with every request (RFC 7523 section 3).

    Args:
        client_id: issuer and subject.
        key: a JWK's `alg` decides on the algorithm; without one the kind of key does.
        key_id: `kid`; that of the JWK unless given.
        audience: the token endpoint, or what the source calls itself.

    Raises:
        ConfigError: when the key cannot sign by its algorithm.
    """
    header = {"alg": _algorithm(key), "typ": "JWT"}
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
            f"the private key cannot sign by {header['alg']}; its kind, or the JWK's alg, does not fit"
        ) from None
    return InForm(assertion)


class InForm(Fixed):
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
