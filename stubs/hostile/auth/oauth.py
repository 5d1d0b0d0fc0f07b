"""OAuth2 client credentials, the client proving itself in one way: secret in header or form, or a JWT."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.requests import Request

from stubs.servers.protocol.refusals import Refusal, unauthorised
from stubs.servers.protocol.tokens import TokenIssuer

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHM = "ES256"
LONGEST_ASSERTION_SECONDS = 600

Method = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]


class ClientIssuer(TokenIssuer):
    """Issues tokens to one client that proves itself by exactly one method, and names the scope.

    Raises (as answers): 401 `invalid_client` for a client that proves itself wrongly or otherwise, 400
    `invalid_scope` without the scope.
    """

    def __init__(
        self,
        client: tuple[str, str],
        method: Method,
        assertions: "AssertionCheck | None" = None,
        *,
        scope: str,
        seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(*client, required_scope=scope, seconds=seconds, clock=clock)
        self._method = method
        self._assertions = assertions

    def authenticate(self, request: Request, form: Mapping[str, str]) -> None:
        """Refuses a client that proves itself by another method, or wrongly by this one."""
        given = {
            "client_secret_basic": "authorization" in request.headers,
            "client_secret_post": "client_secret" in form,
            "private_key_jwt": "client_assertion" in form,
        }
        if [method for method, is_given in given.items() if is_given] != [self._method]:
            raise unauthorised("invalid_client", f"prove yourself by {self._method} and nothing else")
        if self._assertions is None:
            super().authenticate(request, form)
        else:
            self._assertions.check(form, str(request.url))


@dataclass
class AssertionCheck:
    """Checks client assertions (RFC 7523): signature, issuer, audience, times, and that none comes twice."""

    client_id: str
    key: ec.EllipticCurvePublicKey
    clock: Callable[[], float] = time.time
    _seen: set[str] = field(default_factory=set)

    def check(self, form: Mapping[str, str], token_url: str) -> None:
        """Refuses with 401, naming what is wrong; `token_url` is where the form was sent."""
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise _invalid(f"client_assertion_type must be {ASSERTION_TYPE}")
        claims = self._claims(form["client_assertion"])
        if not claims.get("iss") == claims.get("sub") == self.client_id:
            raise _invalid("iss and sub must be the client's id")
        audience = claims.get("aud")
        if token_url not in (audience if isinstance(audience, list) else [audience]):
            raise _invalid("aud must be the token endpoint's URL")
        self._check_times(claims)
        identifier = claims.get("jti")
        if not isinstance(identifier, str) or identifier in self._seen:
            raise _invalid("jti is missing or was used before")
        self._seen.add(identifier)

    def _claims(self, assertion: str) -> Mapping[str, object]:
        pem = self.key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            return jwt.decode(assertion, ECKey.import_key(pem), algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            raise _invalid(f"the assertion is not signed with {ALGORITHM} by the client's key") from None

    def _check_times(self, claims: Mapping[str, object]) -> None:
        expiry, now = claims.get("exp"), self.clock()
        if not isinstance(expiry, int | float) or not now < expiry <= now + LONGEST_ASSERTION_SECONDS:
            raise _invalid(f"exp must be within {LONGEST_ASSERTION_SECONDS} seconds from now")


def _invalid(message: str) -> Refusal:
    return unauthorised("invalid_client", message)
