"""The portal's identity provider, in VNeID's role: signs citizens in, and proves them by ID tokens."""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.servers.protocol.certificates import write_private
from stubs.servers.protocol.refusals import json_answer

AGENCY = "G01"
AUDIENCE = "dichvucong"
LEVEL = "2"
PATH = "/identity"
"""Where the provider is at the portal's address: its issuer."""

_DOCUMENT = """\
name: {name}
issuer: {issuer}
proves: {proves}
audiences: {{{audiences}}}
acr: ["{level}"]
keys:
  - {{file: {name}.json, from: 2020-01-01, until: 2999-12-31}}
"""


@dataclass(frozen=True)
class IdentityProvider:
    """An OpenID Connect provider with a key of its own.

    Attributes:
        issuer: as its ID tokens name it.
        proves: `citizens`, or `officers` of the agency.
    """

    issuer: str
    proves: str = "citizens"
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    other_kid: str | None = None

    @classmethod
    def kept_in(cls, file: Path, issuer: str) -> Self:
        """One with the key of an earlier start that the file holds; where there is none, a new one's."""
        if file.exists():
            key = load_pem_private_key(file.read_bytes(), None)
            assert isinstance(key, EllipticCurvePrivateKey)
            return cls(issuer, key=key)
        made = cls(issuer)
        pem = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(file, pem)
        return made

    @property
    def kid(self) -> str:
        """By what its ID tokens and its key set name the key: another's, where a liar is made."""
        public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return self.other_kid or hashlib.sha256(public).hexdigest()[:16]

    def id_token(self, subject: str, nonce: str, **changes: Any) -> str:
        """An ID token (OpenID Connect Core 1.0 section 2) for a person who has just signed in.

        `changes` replace claims; None leaves one out.
        """
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "acr": LEVEL,
            "nonce": nonce,
            "jti": secrets.token_hex(16),
        } | changes
        stated = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(stated, self.key, algorithm="ES256", headers={"kid": self.kid})

    def routes(self) -> list[Route]:
        """What everybody may read: its configuration (OpenID Connect Discovery 1.0) and its keys."""
        return [
            Route(f"{PATH}/.well-known/openid-configuration", self._configuration, methods=["GET"]),
            Route(f"{PATH}/jwks", self._key_set, methods=["GET"]),
        ]

    def key_set(self) -> dict[str, Any]:
        """Its public key, as a JWK Set (RFC 7517)."""
        public = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "ES256"}]}

    def describe(self, folder: Path, name: str, *agencies: str) -> None:
        """Writes what a hub needs to verify its ID tokens: a document, and beside it the public keys.

        `agencies` may present them; the portal's unless given.
        """
        folder.mkdir(parents=True, exist_ok=True)
        content = _DOCUMENT.format(
            name=name,
            issuer=self.issuer,
            proves=self.proves,
            audiences=", ".join(f'"{agency}": [{AUDIENCE}]' for agency in agencies or (AGENCY,)),
            level=LEVEL,
        )
        (folder / f"{name}.json").write_text(json.dumps(self.key_set()), "utf-8")
        (folder / f"{name}.yaml").write_text(content, "utf-8")

    def _configuration(self, _request: Request) -> Response:
        return json_answer(
            {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks",
                "acr_values_supported": [LEVEL],
                "id_token_signing_alg_values_supported": ["ES256"],
            }
        )

    def _key_set(self, _request: Request) -> Response:
        return json_answer(self.key_set())
