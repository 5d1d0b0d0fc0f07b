"""Loads identity providers with their public keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from oncehub.clock import VIETNAM
from oncehub.config.catalogue import load_folder
from oncehub.config.identity import IdentityProvider, ProviderKeys
from oncehub.errors import ConfigError
from oncehub.files import read_bounded
from oncehub.settings import Settings

PublicKey = RSAKey | ECKey | OKPKey

_ALGORITHMS: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "Ed25519": ("Ed25519", "EdDSA")}
_RSA: Final = ("RS256", "PS256")
_SHORTEST_RSA: Final = 2048
_PRIVATE: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@dataclass(frozen=True)
class SigningKey:
    """A public key of a provider.

    Attributes:
        kid: by which ID tokens name it; None where the key set gives it none.
        algorithms: those that it may sign with, whatever a token says.
        days: the first and last day, in Vietnam, on which it signs.
    """

    kid: str | None
    key: PublicKey
    algorithms: tuple[str, ...]
    days: tuple[date, date]

    def signs(self, moment: float) -> bool:
        """Tell whether the provider signs with it at a moment, in seconds since 1970."""
        first, last = self.days
        return first <= datetime.fromtimestamp(moment, UTC).astimezone(VIETNAM).date() <= last


@dataclass(frozen=True)
class Provider:
    """An identity provider and its keys."""

    document: IdentityProvider
    keys: tuple[SigningKey, ...]


Providers = dict[str, Provider]
"""Identity providers by issuer."""


def load_providers(settings: Settings) -> Providers:
    """Read the identity providers, from `ONCEHUB_IDENTITY_PROVIDERS` or `mappings/identity_providers`.

    Raises:
        ConfigError: one line per fault, with file, line and column.
    """
    providers: Providers = {}
    for document in load_folder(settings.identity_providers, IdentityProvider):
        if document.name != document.path.stem:
            raise ConfigError(
                f"{document.where('name')}: name: {document.name!r} differs from the file's name; write "
                f"name: {document.path.stem}"
            )
        if document.issuer in providers:
            raise ConfigError(
                f"{document.where('issuer')}: issuer: {providers[document.issuer].document.path.name} has "
                "this issuer already; keep one"
            )
        providers[document.issuer] = Provider(document, tuple(_keys(document)))
    return providers


def proves(providers: Providers, who: Literal["citizens", "officers"], agency: str) -> bool:
    """Tell whether one of the providers proves citizens, or officers, to an agency."""
    return any(
        each.document.proves == who and agency in each.document.audiences for each in providers.values()
    )


def _keys(document: IdentityProvider) -> Iterator[SigningKey]:
    known: set[str | None] = set()
    for index, entry in enumerate(document.keys):
        place = f"{document.where('keys', index, 'file')}: keys.{index}.file: {entry.file}"
        for key in _key_set(document.path.parent / entry.file, entry, place):
            if key.kid is not None and key.kid in known:
                raise ConfigError(f"{place}: another key has the kid {key.kid!r} already; each has its own")
            known.add(key.kid)
            yield key


def _key_set(path: Path, entry: ProviderKeys, place: str) -> Iterator[SigningKey]:
    try:
        content = orjson.loads(read_bounded(path))
    except ValueError:
        content = None
    members = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(members, list) or not members:
        raise ConfigError(f'{place}: is not a JWK Set (RFC 7517); write {{"keys": [...]}}')
    for number, jwk in enumerate(members, 1):
        if not isinstance(jwk, dict):
            raise ConfigError(f"{place}: key {number} is not an object")
        # A provider's set may hold keys for encryption.
        if jwk.get("use", "sig") == "sig":
            yield _signing_key(jwk, entry, f"{place}: key {number}")


def _signing_key(jwk: dict[str, Any], entry: ProviderKeys, place: str) -> SigningKey:
    if held := sorted(_PRIVATE & set(jwk)):
        raise ConfigError(f"{place} holds {held[0]!r}, which is secret; keep the public half here")
    try:
        key = import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        raise ConfigError(f"{place} is not a public key; take RSA, P-256, P-384 or Ed25519") from None
    allowed = _allowed(key)
    if not isinstance(key, RSAKey | ECKey | OKPKey) or not allowed:
        raise ConfigError(
            f"{place} is of a kind that is not accepted; take RSA of {_SHORTEST_RSA} bits or more, P-256, "
            "P-384 or Ed25519"
        )
    if "alg" in jwk:
        allowed = tuple(each for each in allowed if each == jwk["alg"])
        if not allowed:
            raise ConfigError(f"{place} names an algorithm that does not fit it, or is not accepted")
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise ConfigError(f"{place}: kid is not a text")
    return SigningKey(kid, key, allowed, (entry.since, entry.until))


def _allowed(key: object) -> tuple[str, ...]:
    if isinstance(key, RSAKey):
        return _RSA if key.public_key.key_size >= _SHORTEST_RSA else ()
    if isinstance(key, ECKey | OKPKey):
        return _ALGORITHMS.get(str(key.curve_name), ())
    return ()
