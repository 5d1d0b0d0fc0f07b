"""The Ed25519 key that signs the access log, and the keys that verification trusts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from oncehub.audit.tlog.notes import NoteKey
from oncehub.encryption.secrets import symmetric_key
from oncehub.errors import ConfigError
from oncehub.files import MOST_KEY_BYTES, check_levels, read_bounded

MOST_TRUSTED_KEYS: Final = 100
"""How many keys a set may hold: one a year for a century."""

_MOST_LEVELS: Final = 6


@dataclass(frozen=True)
class SigningKey:
    """The key that signs; `id` is its public part's thumbprint (RFC 7638)."""

    id: str
    private: OKPKey = field(repr=False)
    seed: bytes = field(repr=False)

    def named(self, origin: str) -> NoteKey:
        """Return the key as it signs checkpoints of the log with that name."""
        return NoteKey.of(origin, self.seed)

    @property
    def public(self) -> dict[str, Any]:
        """The public JWK, with `kid`."""
        return self.private.as_dict(private=False) | {"kid": self.id}


def signing_key(home: Path) -> SigningKey:
    """Return the hub's signing key, whose 32 bytes `symmetric_key` keeps (`ONCEHUB_KEY_SIGNING`)."""
    seed = symmetric_key("signing", home)
    public = (
        Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    )
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _base64url(public), "d": _base64url(seed)})
    return SigningKey(key.thumbprint(), key, seed)


def trusted_keys(path: Path) -> dict[str, OKPKey]:
    """Read a JWK set of public keys, as `oncehub audit keys` prints it; return them by thumbprint.

    Raises:
        ConfigError: when the file holds no such set, or is larger, deeper or of more keys than any.
    """
    content = read_bounded(path, MOST_KEY_BYTES, "; `oncehub audit keys` prints a set of them")
    try:
        document = orjson.loads(content)
        check_levels(path, document, _MOST_LEVELS)
        if len(document["keys"]) > MOST_TRUSTED_KEYS:
            raise ConfigError(
                f"{path}: holds {len(document['keys'])} keys, and at most {MOST_TRUSTED_KEYS} are read; keep "
                "those that have signed"
            )
        keys = [OKPKey.import_key(key) for key in document["keys"]]
    except (ValueError, TypeError, KeyError, JoseError) as error:
        raise ConfigError(
            f"{path}: is no JWK set of Ed25519 keys ({type(error).__name__}); `oncehub audit keys` prints one"
        ) from None
    return {key.thumbprint(): key for key in keys}


def keys_to_trust(home: Path, named: Path | None) -> dict[str, OKPKey]:
    """Return the trusted keys: of the JWK set `named`, or else the hub's own.

    Raises:
        ConfigError: see `trusted_keys`.
    """
    if named:
        return trusted_keys(named)
    own = signing_key(home)
    return {own.id: own.private}


def raw_keys(trusted: Mapping[str, OKPKey]) -> list[bytes]:
    """Return the 32 bytes of each trusted key."""
    public = (str(key.as_dict(private=False)["x"]) for key in trusted.values())
    return [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in public]


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
