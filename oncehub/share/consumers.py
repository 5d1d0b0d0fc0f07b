"""The agencies' clients: their public keys, and the agreement each is bound to."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from psycopg2.extras import Json

from oncehub.model.errors import ConfigError
from oncehub.store.connection import Connection

PublicJwk = dict[str, Any]

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_ADD = """
insert into share.consumer (client_id, agreement, public_key) values (%s, %s, %s)
on conflict (client_id) do update
    set agreement = excluded.agreement, public_key = excluded.public_key, revoked_at = null
"""


def add_consumer(database: Connection, client_id: str, agreement: str, public_jwk: PublicJwk) -> None:
    """Register a client of an agreement, or give it another key; a revoked client is admitted again.

    Raises:
        ConfigError: when the identifier or the key is unfit, or the key is private.
    """
    if not _CLIENT_ID.fullmatch(client_id):
        raise ConfigError("a client id is up to 64 letters, digits, dots, dashes and underscores")
    public = read_public_key(public_jwk).as_dict(private=False)
    with database, database.cursor() as cursor:
        cursor.execute(_ADD, (client_id, agreement, Json(public)))


def revoke_consumer(database: Connection, client_id: str) -> None:
    """Refuse a client from now on, tokens it already holds included.

    Raises:
        ConfigError: when no such client is admitted.
    """
    with database, database.cursor() as cursor:
        cursor.execute(
            "update share.consumer set revoked_at = now() where client_id = %s and revoked_at is null",
            (client_id,),
        )
        if cursor.rowcount == 0:
            raise ConfigError(f"no client {client_id!r} is admitted")


def read_public_key(jwk: PublicJwk) -> OKPKey | ECKey:
    """Return an Ed25519 (RFC 8037) or P-256 (RFC 7518) public key.

    Raises:
        ConfigError: when it is another kind of key, malformed, or private.
    """
    if not isinstance(jwk, dict) or "d" in jwk:
        raise ConfigError("give the public JWK; a private key must never leave its agency")
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                return OKPKey.import_key(jwk)
            case "EC", "P-256":
                return ECKey.import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        raise ConfigError("the public JWK is malformed") from None
    raise ConfigError("the public JWK must be an Ed25519 (OKP) or P-256 (EC) key")


def new_client_key(path: Path) -> PublicJwk:
    """Make an Ed25519 key pair; write the private key to `path` (PKCS #8 PEM, 0600), return the public JWK.

    Raises:
        ConfigError: when the file exists or cannot be written; a key is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path}: holds a key already; choose another path") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return dict(OKPKey.import_key(key.public_key()).as_dict(private=False))
