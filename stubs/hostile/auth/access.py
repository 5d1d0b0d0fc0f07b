"""Who may ask: one check a kind of credentials, and the credentials of one start."""

import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from starlette.requests import Request

from stubs.hostile.auth.oauth import ClientIssuer
from stubs.hostile.auth.signatures import MessageSignatureCheck
from stubs.hostile.variant import Auth, Variant
from stubs.servers.protocol.certificates import TlsFiles, make_tls_files, write_private
from stubs.servers.protocol.refusals import unauthorised
from stubs.servers.tax import SignatureCheck

KEY_HEADER = "X-API-Key"
KEY_PARAMETER = "api_key"
TOKEN_PATH = "/oauth2/token"
SCOPE = "sodiachinh.read"

Check = Callable[[Request, bytes], None]
"""Lets a request with its body pass, or refuses it."""


@dataclass(frozen=True)
class Credentials:
    """What a reader must hold; `key_file` is a private key in PEM, `tls` the files of mutual TLS."""

    login: str
    password: str
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None
    key_file: Path | None = None
    tls: TlsFiles | None = None

    @classmethod
    def make(cls, variant: Variant, state_dir: Path) -> "Credentials":
        """New ones, with their files in `state_dir`."""
        login, password = f"hub-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        match variant.auth:
            case "mutual_tls":
                return cls(login, password, tls=make_tls_files(state_dir / "tls"))
            case "oauth2_jwt":
                key = ec.generate_private_key(ec.SECP256R1())
            case "signature_ed25519":
                key = ed25519.Ed25519PrivateKey.generate()
            case _:
                return cls(login, password)
        file = state_dir / "client-key.pem"
        write_private(file, _pem(key))
        return cls(login, password, key, file)

    def connection(self, host: str, variant: Variant) -> dict[str, object]:
        """The credentials in the form of an Airflow connection; only what the variant asks for."""
        connection: dict[str, object] = {"conn_type": "http", "host": host}
        extra: dict[str, str] = {}
        if variant.auth not in ("none", "mutual_tls", "bearer") and not variant.auth.startswith("api_key"):
            connection["login"] = self.login
        if variant.auth not in ("none", "mutual_tls") and self.key_file is None:
            connection["password"] = self.password
        if variant.auth.startswith("oauth2"):
            extra |= {"token_url": host + TOKEN_PATH, "scope": SCOPE}
        if self.key_file is not None:
            extra["private_key"] = str(self.key_file)
        if self.tls is not None:
            extra["client_certificate"] = str(self.tls.client_certificate)
            extra["client_key"] = str(self.tls.client_key)
            extra["ca"] = str(self.tls.authority)
        return {**connection, "extra": extra}


def make_check(variant: Variant, credentials: Credentials, issuer: ClientIssuer | None) -> Check:
    """The check of a variant; `issuer` is that of its tokens, where it has any."""
    if issuer is not None:
        return lambda request, _body: issuer.check(request)
    login, password = credentials.login, credentials.password
    pair = base64.b64encode(f"{login}:{password}".encode()).decode()
    checks: dict[Auth, Check] = {
        "none": _anybody,
        "mutual_tls": _anybody,
        "api_key_header": _key_check(lambda request: request.headers.get(KEY_HEADER), password),
        "api_key_query": _key_check(lambda request: request.query_params.get(KEY_PARAMETER), password),
        "api_key_cookie": _key_check(lambda request: request.cookies.get(KEY_PARAMETER), password),
        "basic": _header_check("Basic", pair),
        "bearer": _header_check("Bearer", password),
        "hmac": SignatureCheck(login, password).check,
        "signature_hmac": MessageSignatureCheck(login, password.encode()).check,
    }
    if isinstance(credentials.key, ed25519.Ed25519PrivateKey):
        checks["signature_ed25519"] = MessageSignatureCheck(login, credentials.key.public_key()).check
    return checks[variant.auth]


def _anybody(_request: Request, _body: bytes) -> None:
    """Where the connection itself proves the reader, or nobody asks."""


def _key_check(given: Callable[[Request], str | None], key: str) -> Check:
    def check(request: Request, _body: bytes) -> None:
        if not hmac.compare_digest((given(request) or "").encode(), key.encode()):
            raise unauthorised("invalid_key", "a valid API key is required")

    return check


def _header_check(scheme: str, text: str) -> Check:
    def check(request: Request, _body: bytes) -> None:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"{scheme} {text}".encode()):
            raise unauthorised("invalid_credentials", f"{scheme} credentials are required", challenge=scheme)

    return check


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
