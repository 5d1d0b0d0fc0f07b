"""The key ring: the keys that data keys are wrapped under. The primary key wraps, the others only open.

The keys come from `ONCEHUB_KEY_DATA` (base64, separated by spaces, the primary key first), else from one
file each below `home/keys/data`, where the file `primary` names the primary key. A key's id is derived from
the key, so that no key can be stored under another key's name.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from oncehub.encryption.secrets import KEY_BYTES, create_secret_file, decode_key, encode_key, no_key
from oncehub.errors import ConfigError, KeyMissing
from oncehub.files import write_whole
from oncehub.settings import secret

VARIABLE: Final = "ONCEHUB_KEY_DATA"
_PRIMARY: Final = "primary"
_ID_BYTES: Final = 4


@dataclass(frozen=True)
class KeyRing:
    """Keys by id.

    Attributes:
        primary: id of the key that wraps.
        place: the variable or folder that holds the ring, for messages.
    """

    primary: str
    keys: Mapping[str, bytes] = field(repr=False)
    place: str

    def key(self, key_id: str) -> bytes:
        """Return a key.

        Raises:
            KeyMissing: when the ring does not hold it.
        """
        if key_id not in self.keys:
            held = ", ".join(self.keys)
            raise KeyMissing(
                f"the key {key_id} is not in the key ring ({self.place}, which holds {held}); put it back "
                "from your copy, then try again: nothing is lost, but its values cannot be read without it"
            )
        return self.keys[key_id]


def load_key_ring(home: Path) -> KeyRing:
    """Return the ring.

    Raises:
        KeyMissing: when there is none.
        ConfigError: when a key is malformed, or a file holds another key than its name says.
    """
    if text := secret(VARIABLE):
        keys = [decode_key(each, VARIABLE) for each in text.split()]
        return KeyRing(key_id(keys[0]), {key_id(key): key for key in keys}, VARIABLE)
    if not ring_is_given(home):
        raise KeyMissing(no_key("data", ring_place(home)))
    return _read(_folder(home))


def ring_place(home: Path) -> str:
    """Return where the ring is looked for, for messages."""
    return f"{VARIABLE} or {_folder(home)}"


def create_key_ring(home: Path) -> KeyRing:
    """Return the ring; where there is none, make one with a new key below `home`.

    Two processes that race for it agree on one key.
    """
    if not ring_is_given(home):
        _create(_folder(home))
    return load_key_ring(home)


def ring_is_given(home: Path) -> bool:
    """Return whether there is a ring, in the environment or below `home`."""
    return secret(VARIABLE) is not None or (_folder(home) / _PRIMARY).exists()


def add_primary(home: Path) -> KeyRing:
    """Add a new primary key to the ring, and return the ring.

    Raises:
        ConfigError: when the ring is in the environment, which only the operator can change.
    """
    if secret(VARIABLE):
        raise ConfigError(
            f"the key ring is {VARIABLE}: put a new key in front (openssl rand -base64 {KEY_BYTES}), leave "
            "the others behind it, and run: oncehub keys rotate --resume"
        )
    load_key_ring(home)
    folder = _folder(home)
    with _exclusive(folder):
        write_whole(folder / _PRIMARY, _add(folder).encode(), mode=0o600)
    return _read(folder)


def drop_key(home: Path, dropped: str) -> None:
    """Remove a key from the ring for good; the caller ensures that no data key needs it.

    Raises:
        ConfigError: when it is the primary key, or the ring is in the environment.
        KeyMissing: when the ring does not hold it.
    """
    ring = load_key_ring(home)
    if dropped not in ring.keys:
        raise KeyMissing(
            f"there is no key {dropped} to retire in {ring.place}, which holds {', '.join(ring.keys)}"
        )
    if dropped == ring.primary:
        raise ConfigError(f"the key {dropped} is the primary key; first add another one: oncehub keys rotate")
    if secret(VARIABLE):
        raise ConfigError(f"no data key needs the key {dropped} any more: take it out of {VARIABLE}")
    _file(_folder(home), dropped).unlink()


@lru_cache(maxsize=64)
def key_id(key: bytes) -> str:
    """Return the id of a key: 8 hexadecimal digits derived from it, which reveal nothing of it."""
    return derived(key, "key id", _ID_BYTES).hex()


def derived(key: bytes, use: str, length: int = KEY_BYTES) -> bytes:
    """Derive the key for one use from a key of the ring (HKDF-SHA-256, RFC 5869)."""
    return HKDF(SHA256(), length, salt=None, info=f"oncehub {use}".encode()).derive(key)


def _folder(home: Path) -> Path:
    return home / "keys" / "data"


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"


def _create(folder: Path) -> None:
    with _exclusive(folder):
        if not (folder / _PRIMARY).exists():
            create_secret_file(folder / _PRIMARY, _add(folder).encode())


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Let one process at a time change the ring; the lock of a killed process is released."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _add(folder: Path) -> str:
    key = secrets.token_bytes(KEY_BYTES)
    create_secret_file(_file(folder, key_id(key)), encode_key(key))
    return key_id(key)


def _read(folder: Path) -> KeyRing:
    primary = (folder / _PRIMARY).read_text("ascii").strip()
    keys = {}
    for path in sorted(folder.glob("*.key")):
        keys[path.stem] = decode_key(path.read_text("ascii"), str(path))
        if key_id(keys[path.stem]) != path.stem:
            raise ConfigError(f"{path}: holds another key than the one in its name; put that key back")
    ring = KeyRing(primary, keys, str(folder))
    ring.key(primary)
    return ring
