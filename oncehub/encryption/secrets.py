"""Symmetric keys of the hub: from the environment, else from files below `home/keys`, which `init` makes."""

from __future__ import annotations

import base64
import binascii
import secrets
from contextlib import suppress
from pathlib import Path

from oncehub.errors import ConfigError, KeyMissing
from oncehub.files import create_whole
from oncehub.settings import secret

KEY_BYTES = 32


def symmetric_key(name: str, home: Path) -> bytes:
    """Return the 32-byte key `name`: `ONCEHUB_KEY_<NAME>` (base64), else `home/keys/<name>.key`.

    `ONCEHUB_KEY_<NAME>_FILE` may name a file that holds it instead.

    Raises:
        KeyMissing: when neither is there.
        ConfigError: when the key is not 32 bytes of base64.
    """
    key = given_key(name, home)
    if key is None:
        raise KeyMissing(no_key(name, key_place(name, home)))
    return key


def create_key(name: str, home: Path) -> None:
    """Make the file of the key `name` with mode 0600, unless it is there; one that is there stays."""
    create_secret_file(_file(name, home), encode_key(secrets.token_bytes(KEY_BYTES)))


def key_place(name: str, home: Path) -> str:
    """Return where the key `name` is looked for, for messages."""
    return f"ONCEHUB_KEY_{name.upper()} or {_file(name, home)}"


def no_key(name: str, place: str) -> str:
    """Return the message for a key that is not there, and that the database does not know either."""
    return (
        f"there is no {name} key in {place}; put it back from your copy, or give a new hub one "
        f"(openssl rand -base64 {KEY_BYTES}): only oncehub init makes keys, and only for a new hub "
        "(docs/operations/encryption-and-retention.md)"
    )


def given_key(name: str, home: Path) -> bytes | None:
    """Return the key `name` as `symmetric_key` does, or None where neither setting nor file gives one.

    Raises:
        ConfigError: when the key is not 32 bytes of base64.
    """
    variable = f"ONCEHUB_KEY_{name.upper()}"
    if text := secret(variable):
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
