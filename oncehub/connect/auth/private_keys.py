"""The private key that identifies the hub to a source."""

from __future__ import annotations

from pathlib import Path

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from oncehub.config.connection import Connection
from oncehub.errors import ConfigError
from oncehub.files import MOST_KEY_BYTES, read_bounded

PrivateKey = ECKey | OKPKey | RSAKey

_ITSELF = ("-----BEGIN ", "{")
"""How a key begins that is no path."""

_UNREADABLE = (JoseError, ValueError, TypeError)


def private_key_of(source: str, connection: Connection) -> PrivateKey:
    """Read `private_key` in the connection's extra: PEM or a JWK (RFC 7517), or the path of a file of it.

    Raises:
        ConfigError: when there is no such file, or it holds no private key that can be used.
    """
    where = f"connection of {source}"
    given = connection.extra.get("private_key")
    if not isinstance(given, str) or not given:
        raise ConfigError(f"{where}: extra lacks private_key; give PEM or a JWK, or the path of a file of it")
    content = given if given.lstrip().startswith(_ITSELF) else _file(given, where)
    key = _from_jwk(content) if content.lstrip().startswith("{") else _from_pem(content)
    if key is None or not key.is_private:
        raise ConfigError(
            f"{where}: private_key in extra must be an unencrypted private key,"
            " EC, Ed25519 or RSA, as PEM or JWK"
        )
    return key


def _file(path: str, where: str) -> str:
    try:
        return read_bounded(Path(path), MOST_KEY_BYTES).decode()
    except (ConfigError, UnicodeDecodeError):
        raise ConfigError(f"{where}: private_key in extra is no file that can be read") from None


def _from_jwk(content: str) -> PrivateKey | None:
    try:
        key = import_key(orjson.loads(content))
    except _UNREADABLE:
        return None
    return key if isinstance(key, PrivateKey) else None


def _from_pem(content: str) -> PrivateKey | None:
    for kind in ("EC", "OKP", "RSA"):
        try:
            key = import_key(content, kind)
        except _UNREADABLE:
            continue
        if isinstance(key, PrivateKey):
            return key
    return None
