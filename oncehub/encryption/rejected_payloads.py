"""The payloads of rejected records, as they are sealed: each bound to its stream and its own digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oncehub.encryption.cipher import Ciphers
from oncehub.encryption.secrets import given_key
from oncehub.errors import KeyMissing

_FORMER_NONCE_BYTES: Final = 12
_FORMER: Final = "quarantine"


@dataclass(frozen=True)
class Payload:
    """A row of `intake.rejected`, as far as it is sealed; `key_id` is None of one older than the key ring."""

    source: str
    stream: str
    key_id: str | None
    digest: bytes
    sealed: bytes = field(repr=False)


def payload_place(source: str, stream: str, digest: bytes) -> list[str]:
    """Return where a payload stands, as it is bound to it."""
    return ["intake.rejected", source, stream, digest.hex()]


def open_payload(home: Path, ciphers: Ciphers, payload: Payload) -> bytes:
    """Decrypt a rejected record's payload; `home` has the key that payloads were sealed with before the ring.

    Raises:
        KeyMissing: when the key that it was sealed with is not there.
        SealBroken: when it is another record's, or was altered.
    """
    if payload.key_id is None:
        return _open_former(home, payload)
    place = payload_place(payload.source, payload.stream, payload.digest)
    return ciphers.under(payload.key_id).open(payload.sealed, place)


def _open_former(home: Path, payload: Payload) -> bytes:
    key = given_key(_FORMER, home)
    if key is not None:
        nonce, text = payload.sealed[:_FORMER_NONCE_BYTES], payload.sealed[_FORMER_NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, text, f"{payload.source}/{payload.stream}".encode())
        except InvalidTag:
            pass
    raise KeyMissing(
        f"a rejected record of {payload.source}.{payload.stream} was sealed before there was a key ring, "
        "with a key that is not there; set ONCEHUB_KEY_QUARANTINE to it, then: oncehub keys rotate --resume"
    )
