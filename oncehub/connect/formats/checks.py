"""Faults of `read` and `pages` that no request is needed to see."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from oncehub.config.connector import Connector
from oncehub.config.reading import (
    Csv,
    CursorPages,
    InHeader,
    JsonLines,
    NextUrlPages,
    Pages,
    Place,
    Read,
    Xml,
)
from oncehub.errors import ConfigError


def check_read(connector: Connector, keys: tuple[str | int, ...], read: Read, pages: Pages) -> None:
    """Refuse a form that cannot be read as it is stated.

    Args:
        connector: which states it.
        keys: lead to what holds `read` and `pages`, e.g. `("streams", "registrations")`.
        read: checked.
        pages: whose places must be ones that the form can hold.

    Raises:
        ConfigError: with the place, and what to write instead.
    """
    for under, complaint in _faults(read, pages, own_reader=connector.part == "reader"):
        raise ConfigError(f"{connector.where(*keys, *under)}: {complaint}")


def _faults(read: Read, pages: Pages, *, own_reader: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(read, Csv):
        yield from _dialect_faults(read)
    if isinstance(read, Xml):
        yield from _prefix_faults(read)
    if isinstance(read, Csv | JsonLines) and not own_reader:
        for name, place in _places(pages):
            if not isinstance(place, InHeader):
                reason = f"a page of {read.format} holds records only; write {name}: {{header: ...}}"
                yield ("pages", name), reason


def _places(pages: Pages) -> Iterator[tuple[str, Place]]:
    following = pages.next if isinstance(pages, CursorPages | NextUrlPages) else None
    places = {"total": pages.total, "count": pages.count, "more": pages.more, "next": following}
    return ((name, place) for name, place in places.items() if place is not None)


def _dialect_faults(read: Csv) -> Iterator[tuple[tuple[str, ...], str]]:
    if not _is_text_encoding(read.encoding):
        yield ("read", "encoding"), "no such encoding; write one such as utf-8 or cp1258"
    signs = [sign for sign in (read.delimiter, read.quote, read.escape) if sign is not None]
    if len(set(signs)) < len(signs):
        yield ("read", "delimiter"), "delimiter, quote and escape must differ"
    if set(signs) & set("\r\n\0"):
        yield ("read", "delimiter"), "a line end or NUL cannot be delimiter, quote or escape"


def _is_text_encoding(name: str) -> bool:
    try:
        "a".encode(name)
    except LookupError:
        return False
    return codecs.lookup(name).incrementaldecoder is not None


def _prefix_faults(read: Xml) -> Iterator[tuple[tuple[str, ...], str]]:
    paths = {"records": read.records.split("/")} | {"lists": ".".join(read.lists).split(".")}
    for key, names in paths.items():
        for name in names:
            prefix, colon, _ = name.removeprefix("@").rpartition(":")
            if colon and prefix not in read.namespaces:
                yield ("read", key), f"no namespace has the prefix {prefix}; add it to namespaces"
    if len(set(read.namespaces.values())) < len(read.namespaces):
        yield ("read", "namespaces"), "two prefixes stand for one namespace; keep one"
