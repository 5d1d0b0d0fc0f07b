"""Symmetric keys of the hub: read from the environment, else generated once under `home/keys`."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from contextlib import suppress
from pathlib import Path

from oncehub.errors import ConfigError
from oncehub.files import create_whole

KEY_BYTES = 32


def symmetric_key(name: str, home: Path) -> bytes:
    """Return the 32-byte key `name`: `ONCEHUB_KEY_<NAME>` (base64), else `home/keys/<name>.key`.

    The file is created on first use with mode 0600; two processes that race for it agree on one key.

    Raises:
        ConfigError: when the key is not 32 bytes of base64.
    """
    if key := given_key(name, home):
        return key
    path = _file(name, home)
    create_secret_file(path, encode_key(secrets.token_bytes(KEY_BYTES)))
    return decode_key(path.read_text("ascii"), str(path))


def given_key(name: str, home: Path) -> bytes | None:
    """Return the key `name` as `symmetric_key` does, or None where neither setting nor file gives one.

    Raises:
        ConfigError: when the key is not 32 bytes of base64.
    """
    variable = f"ONCEHUB_KEY_{name.upper()}"
    if text := os.environ.get(variable):
        return decode_key(text, variable)
    path = _file(name, home)
    return decode_key(path.read_text("ascii"), str(path)) if path.exists() else None


def encode_key(key: bytes) -> bytes:
    """Write a key as `decode_key` reads it."""
    return base64.b64encode(key)


def decode_key(text: str, where: str) -> bytes:
    """Read a key of 32 bytes from base64; `where` names its variable or file in the error.

    Raises:
        ConfigError: when the text is not 32 bytes of base64.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{where} must hold {KEY_BYTES} bytes as base64 (openssl rand -base64 {KEY_BYTES})")
    return key


def _file(name: str, home: Path) -> Path:
    return home / "keys" / f"{name}.key"


def create_secret_file(path: Path, content: bytes) -> None:
    """Create a file with mode 0600, whole; an existing file stays as it is."""
    with suppress(FileExistsError):
        create_whole(path, content, mode=0o600)
