"""Pins keys that an identity provider publishes, and ends them: an operator says on which days they sign."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import requests
import yaml

from oncehub.config.documents import parse_yaml
from oncehub.config.identity import IdentityProvider, ProviderKeys
from oncehub.errors import ConfigError, SourceUnavailable
from oncehub.files import MOST_KEY_BYTES, read_bounded, write_whole
from oncehub.settings import Settings
from oncehub.share.identity.providers import (
    Days,
    Provider,
    SigningKey,
    entry_keys,
    jwks,
    load_providers,
    signing_key,
)

_SECONDS: Final = 30
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Published:
    """A key that a provider publishes for signatures.

    Attributes:
        thumbprint: of RFC 7638; None where the key is not accepted.
        days: on which it is valid here; None where it is not pinned.
        fault: why it cannot be pinned.
    """

    kid: str | None
    kind: str
    thumbprint: str | None
    days: Days | None = None
    fault: str | None = None


def find_provider(settings: Settings, name: str) -> Provider:
    """Return the identity provider of that name.

    Raises:
        ConfigError: when there is none, or one is wrong.
    """
    providers = {each.document.name: each for each in load_providers(settings).values()}
    if name not in providers:
        raise ConfigError(
            f"there is no identity provider {name!r}; there are: {', '.join(providers) or 'none'}"
        )
    return providers[name]


def published_keys(provider: Provider, place: str | None) -> list[Published]:
    """Return the keys for signatures that a provider publishes now, with the days of those that are pinned.

    Args:
        provider: with the keys that are pinned.
        place: URL or file of its JWK Set; where its discovery document says unless given.

    Raises:
        ConfigError: when there is no JWK Set, or the provider has another issuer.
        SourceUnavailable: when the provider does not answer.
    """
    return [each for each, _ in _published(provider, place)]


def pin(settings: Settings, name: str, thumbprint: str, days: Days, place: str | None) -> Path:
    """Pin a key that a provider publishes: write it beside the document, and list it there; return its file.

    Raises:
        ConfigError: when the provider does not publish it, or it is pinned already.
        SourceUnavailable: when the provider does not answer.
    """
    provider = find_provider(settings, name)
    if provider.key(thumbprint):
        raise ConfigError(f"{thumbprint} is pinned already; oncehub identity keys {name} shows its days")
    published = list(_published(provider, place))
    key = next((key for each, key in published if key and each.thumbprint == thumbprint), None)
    if key is None:
        known = ", ".join(each.thumbprint for each, _ in published if each.thumbprint) or "none"
        raise ConfigError(f"{name} publishes no key {thumbprint}; it publishes: {known}")
    if any(key.kid is not None and each.kid == key.kid for each in provider.keys):
        raise ConfigError(
            f"another key of {name} has the kid {key.kid!r} already; the provider must change it"
        )
    document = provider.document
    file = document.path.parent / f"{name}-{re.sub('[^A-Za-z0-9]', '', thumbprint)[:12]}.json"
    keys = orjson.dumps({"keys": [key.public]}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    entry = ProviderKeys.model_validate({"file": file.name, "from": days[0], "until": days[1]})
    changed = _changed(document, (*document.keys, entry), lambda text, root: _with_entry(text, root, entry))
    _write(file, keys)
    _write(document.path, changed)
    return file


def end(settings: Settings, name: str, thumbprint: str, last: date) -> None:
    """Let a pinned key end with a day; kept evidence of later days is not verified by it any more.

    Raises:
        ConfigError: when it is not pinned, begins later, or shares its file with others.
    """
    provider = find_provider(settings, name)
    document = provider.document
    key = provider.key(thumbprint)
    if key is None:
        raise ConfigError(f"{name} has no key {thumbprint}; oncehub identity keys {name} lists them")
    files = [[each.thumbprint for each in entry_keys(document, index)] for index in range(len(document.keys))]
    index = next(index for index, held in enumerate(files) if thumbprint in held)
    place = f"{document.where('keys', index)}: keys.{index}"
    if len(files[index]) > 1:
        raise ConfigError(
            f"{place}: its file holds several keys, which would all end; give each its own file"
        )
    if last < key.days[0]:
        raise ConfigError(f"{place}: it begins on {key.days[0]}; write that day or a later one")
    keys = list(document.keys)
    keys[index] = keys[index].model_copy(update={"until": last})
    _write(
        document.path,
        _changed(document, tuple(keys), lambda text, root: _with_last_day(text, root, index, last)),
    )


def _published(provider: Provider, place: str | None) -> Iterator[tuple[Published, SigningKey | None]]:
    place = place or _discovered(provider.document.issuer)
    content = _fetched(place) if "://" in place else read_bounded(Path(place), MOST_KEY_BYTES)
    for number, jwk in enumerate(jwks(content, place), 1):
        if jwk.get("use", "sig") != "sig":
            continue
        kid, kind = jwk.get("kid"), " ".join(str(jwk[name]) for name in ("kty", "crv", "alg") if name in jwk)
        try:
            key = signing_key(jwk, (date.min, date.max), f"{place}: key {number}")
        except ConfigError as error:
            yield Published(kid, kind, None, fault=str(error)), None
        else:
            pinned = provider.key(key.thumbprint)
            yield Published(kid, kind, key.thumbprint, pinned.days if pinned else None), key


def _discovered(issuer: str) -> str:
    """Return where a provider says that its keys are (OpenID Connect Discovery 1.0 section 4)."""
    place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        stated = orjson.loads(_fetched(place))
    except ValueError:
        stated = None
    if not isinstance(stated, dict) or not isinstance(stated.get("jwks_uri"), str):
        raise ConfigError(f"{place}: is no discovery document; name the JWK Set with --source")
    if stated.get("issuer") != issuer:
        # ID tokens name it, to the last slash.
        raise ConfigError(
            f"{place}: states another issuer than {issuer}: write issuer: {stated.get('issuer')}"
        )
    return str(stated["jwks_uri"])


def _fetched(place: str) -> bytes:
    address = urlsplit(place)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOOPBACK):
        raise ConfigError(f"{place}: keys are read over https, or from a file")
    content = b""
    try:
        with requests.get(place, timeout=_SECONDS, stream=True, allow_redirects=False) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise SourceUnavailable(f"{place}: answers {answer.status_code}; name another with --source")
            for part in answer.iter_content(1 << 14):
                content += part
                if len(content) > MOST_KEY_BYTES:
                    raise ConfigError(f"{place}: is larger than {MOST_KEY_BYTES} bytes")
    except requests.RequestException as error:
        raise SourceUnavailable(f"{place}: cannot be read: {type(error).__name__}") from None
    return content


_Edit = Callable[[str, yaml.MappingNode], str]


def _changed(document: IdentityProvider, keys: tuple[ProviderKeys, ...], edit: _Edit) -> bytes:
    """Return the document's text with other keys; all else, comments too, stays as it was written."""
    text = read_bounded(document.path).decode("utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    edited = edit(text, root).encode()
    content, _ = parse_yaml(document.path, edited)
    expected = document.model_copy(update={"keys": keys}).model_dump()
    if IdentityProvider.model_validate(content).model_dump() != expected:
        written = ", ".join(_line(each) for each in keys)
        raise ConfigError(
            f"{document.where('keys')}: cannot be changed by this command; write keys: [{written}]"
        )
    return edited


def _with_entry(text: str, root: yaml.MappingNode, entry: ProviderKeys) -> str:
    """Add an entry to the list `keys`."""
    listed = _member(root, "keys")
    if listed is None:
        return f"{text.rstrip()}\nkeys:\n  - {_line(entry)}\n"
    start, end = listed.start_mark.index, listed.end_mark.index
    if not listed.value:
        return f"{text[:start].rstrip()}\n  - {_line(entry)}{text[end:]}"
    if listed.flow_style:
        return f"{text[: end - 1].rstrip()}, {_line(entry)}{text[end - 1 :]}"
    last = len(text[: listed.value[-1].end_mark.index].rstrip())
    line_end = (text + "\n").index("\n", last)
    return f"{text[:line_end]}\n{' ' * listed.start_mark.column}- {_line(entry)}{text[line_end:]}"


def _with_last_day(text: str, root: yaml.MappingNode, index: int, last: date) -> str:
    """Write the last day of the entry with that index."""
    listed = _member(root, "keys")
    assert listed is not None
    day = _member(listed.value[index], "until")
    assert day is not None
    return f"{text[: day.start_mark.index]}{last}{text[day.end_mark.index :]}"


def _member(mapping: yaml.MappingNode, name: str) -> Any:
    return next((value for key, value in mapping.value if key.value == name), None)


def _line(entry: ProviderKeys) -> str:
    return f"{{file: {entry.file}, from: {entry.since}, until: {entry.until}}}"


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content, mode=0o644)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
