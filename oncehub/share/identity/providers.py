"""Loads identity providers with their public keys, also while the hub serves."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from oncehub.clock import VIETNAM
from oncehub.config.catalogue import load_folder
from oncehub.config.identity import IdentityProvider
from oncehub.errors import ConfigError
from oncehub.files import MOST_KEY_BYTES, read_bounded
from oncehub.settings import Settings

PublicKey = RSAKey | ECKey | OKPKey

Days = tuple[date, date]
"""The first and the last day on which a key signs, in Vietnam."""

_log = logging.getLogger("oncehub.identity")

_ALGORITHMS: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "Ed25519": ("Ed25519", "EdDSA")}
_RSA: Final = ("RS256", "PS256")
_SHORTEST_RSA: Final = 2048
_ENDS_SOON: Final = timedelta(days=30)
_MEMBERS: Final = {"kty", "kid", "alg", "use", "crv", "x", "y", "n", "e"}
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
    days: Days

    @property
    def thumbprint(self) -> str:
        """Names it by its content (RFC 7638)."""
        return self.key.thumbprint()

    @property
    def public(self) -> dict[str, Any]:
        """Return it as a JWK (RFC 7517) without certificates."""
        return {name: value for name, value in self.key.as_dict(private=False).items() if name in _MEMBERS}

    def signs(self, moment: float) -> bool:
        """Tell whether the provider signs with it at a moment, in seconds since 1970."""
        return self.valid(datetime.fromtimestamp(moment, UTC).astimezone(VIETNAM).date())

    def valid(self, day: date) -> bool:
        """Tell whether the provider signs with it on a day."""
        return self.days[0] <= day <= self.days[1]


@dataclass(frozen=True)
class Provider:
    """An identity provider and its keys."""

    document: IdentityProvider
    keys: tuple[SigningKey, ...]

    def key(self, thumbprint: str) -> SigningKey | None:
        """Return the key with that thumbprint; None when there is none."""
        return next((each for each in self.keys if each.thumbprint == thumbprint), None)


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


class ProvidersInForce:
    """The identity providers as their folder has them now, so that keys change while the hub serves.

    A folder that becomes wrong changes nothing; the log says what is wrong.

    Raises:
        ConfigError: at the start, when a document or a key is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read = (_state(settings.identity_providers), load_providers(settings))
        self._tell()

    def current(self) -> Providers:
        """Return them, read anew when a file of the folder has changed."""
        state, providers = self._read
        if (now := _state(self._settings.identity_providers)) != state:
            try:
                providers = load_providers(self._settings)
            except ConfigError as error:
                _log.error("identity providers stay as they were before a change: %s", error)
                self._read = (now, providers)
            else:
                self._read = (now, providers)
                self._tell()
        return providers

    def _tell(self) -> None:
        for each in lacking_keys(self._read[1], datetime.now(VIETNAM).date()):
            _log.warning("%s", each)


def _state(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return what differs once a file of a folder has changed."""
    try:
        with os.scandir(folder) as entries:
            files = [(each.name, each.stat()) for each in entries]
    except OSError:
        return ()
    return tuple(sorted((name, each.st_ino, each.st_mtime_ns, each.st_size) for name, each in files))


def lacking_keys(providers: Providers, day: date) -> Iterator[str]:
    """Yield a line for each provider that proves nobody on a day for want of keys, or soon will not."""
    for provider in providers.values():
        document = provider.document
        place, whom = document.where("keys"), f"{document.proves} at {', '.join(document.audiences)}"
        last = max((each.days[1] for each in provider.keys if each.valid(day)), default=None)
        if last is None:
            lack = f"no key is valid on {day}: all {whom} are refused"
        elif last < day + _ENDS_SOON and not any(each.days[1] > last for each in provider.keys):
            lack = f"the last key ends on {last}: all {whom} are refused afterwards"
        else:
            continue
        yield f"{place}: keys: {lack}; see oncehub identity published {document.name}, and pin one"


def _keys(document: IdentityProvider) -> Iterator[SigningKey]:
    known: set[str | None] = set()
    for index in range(len(document.keys)):
        for key in entry_keys(document, index):
            if key.kid is not None and key.kid in known:
                place = f"{document.where('keys', index, 'file')}: keys.{index}.file"
                raise ConfigError(f"{place}: another key has the kid {key.kid!r} already; each has its own")
            known.add(key.kid)
            yield key


def entry_keys(document: IdentityProvider, index: int) -> Iterator[SigningKey]:
    """Read the keys of one entry of a document's `keys`.

    Raises:
        ConfigError: when the file is no JWK Set, or one of its keys is not acceptable.
    """
    entry = document.keys[index]
    place = f"{document.where('keys', index, 'file')}: keys.{index}.file: {entry.file}"
    content = read_bounded(document.path.parent / entry.file, MOST_KEY_BYTES)
    for number, jwk in enumerate(jwks(content, place), 1):
        # A provider's set may hold keys for encryption.
        if jwk.get("use", "sig") == "sig":
            yield signing_key(jwk, (entry.since, entry.until), f"{place}: key {number}")


def jwks(content: bytes, place: str) -> list[dict[str, Any]]:
    """Return the members of a JWK Set.

    Raises:
        ConfigError: when it is none.
    """
    try:
        read = orjson.loads(content)
    except ValueError:
        read = None
    members = read.get("keys") if isinstance(read, dict) else None
    if not isinstance(members, list) or not members:
        raise ConfigError(f'{place}: is not a JWK Set (RFC 7517); write {{"keys": [...]}}')
    for number, jwk in enumerate(members, 1):
        if not isinstance(jwk, dict):
            raise ConfigError(f"{place}: key {number} is not an object")
    return members


def signing_key(jwk: dict[str, Any], days: Days, place: str) -> SigningKey:
    """Return a public key that signs on those days; `place` names it in errors.

    Raises:
        ConfigError: when it is secret, or of a kind or algorithm that is not accepted.
    """
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
    return SigningKey(kid, key, allowed, days)


def _allowed(key: object) -> tuple[str, ...]:
    if isinstance(key, RSAKey):
        return _RSA if key.public_key.key_size >= _SHORTEST_RSA else ()
    if isinstance(key, ECKey | OKPKey):
        return _ALGORITHMS.get(str(key.curve_name), ())
    return ()
