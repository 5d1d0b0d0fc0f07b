"""Faults of a connector that show before any request is sent."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oncehub.config.connector import (
    Changes,
    Connector,
    SequenceChanges,
    Snapshot,
    Stream,
    TimeChanges,
    TokenChanges,
    TombstoneStream,
    Updated,
)
from oncehub.config.reading import (
    Csv,
    CursorPages,
    InHeader,
    Json,
    JsonLines,
    NextUrlPages,
    Pages,
    Parquet,
    Place,
    Read,
    Xlsx,
    Xml,
)
from oncehub.config.syntax.paths import is_json_path
from oncehub.config.syntax.templates import OF_REQUESTS
from oncehub.errors import ConfigError

Keys = tuple[str, ...]


def check_connector(connector: Connector) -> None:
    """Refuse a connector that cannot be read as it is written.

    Raises:
        ConfigError: with the place, and what to write instead.
    """
    for keys, place in places(connector):
        faults = [
            *_faults(place.read, place.pages, own_reader="reader" in connector.plugins),
            *_parameter_faults(place, _changes_of(connector, keys)),
            *_placeholder_faults(place, _changes_of(connector, keys)),
        ]
        for under, complaint in faults:
            raise ConfigError(f"{connector.where(*keys, *under)}: {complaint}")
        if not isinstance(place, Snapshot) and place.updated is not None:
            _check_zone(connector, (*keys, "updated", "zone"), place.updated)
    for name, submitted in connector.submitted.items():
        _check_zone(connector, ("submitted", name, "updated", "zone"), submitted.updated)


def places(connector: Connector) -> Iterator[tuple[Keys, Stream | Snapshot | TombstoneStream]]:
    """Yield all places that a connector reads from, and the keys that lead to them."""
    for name, stream in connector.streams.items():
        yield ("streams", name), stream
        if stream.snapshot is not None:
            yield ("streams", name, "snapshot"), stream.snapshot
        if isinstance(stream.deletes, TombstoneStream):
            yield ("streams", name, "deletes"), stream.deletes


def _check_zone(connector: Connector, keys: Keys, updated: Updated) -> None:
    try:
        ZoneInfo(updated.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            f"{connector.where(*keys)}: no such time zone; write one such as Asia/Ho_Chi_Minh"
        ) from None


def _faults(read: Read, pages: Pages, *, own_reader: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(read, Csv):
        yield from _dialect_faults(read)
    if isinstance(read, Xml):
        yield from _prefix_faults(read)
    if isinstance(read, Json | Xml):
        yield from _shape_faults(read, pages)
    if isinstance(read, Csv | JsonLines | Parquet | Xlsx) and not own_reader:
        for name, place in _places(pages):
            if not isinstance(place, InHeader):
                reason = f"a page of {read.format} holds records only; write {name}: {{header: ...}}"
                yield ("pages", name), reason


def _shape_faults(read: Json | Xml, pages: Pages) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield paths that no page can have: within a list, or within what another path finds a value at."""
    listed = None if read.records is None else read.records.replace("/", ".")
    values = {
        name: place
        for name, place in _places(pages)
        if isinstance(place, str) and not is_json_path(place) and not is_json_path(listed or "")
    }
    for name, place in values.items():
        if listed is None:
            yield ("pages", name), f"the body is the list of records, so that `{place}` leads nowhere in it"
        elif _leads_through(place, listed):
            yield ("pages", name), f"`{place}` leads into the records at `{listed}`; write a path beside them"
        elif _leads_through(listed, place):
            yield ("pages", name), f"`{place}` holds the records at `{listed}`; write the path of a value"
        for other, there in values.items():
            if place != there and _leads_through(place, there):
                yield ("pages", name), f"`{place}` leads into the value at `{there}`, which is `{other}`"
            elif place == there and name < other:
                yield ("pages", name), f"`{place}` is also `{other}`; one value cannot be both"


def _leads_through(path: str, other: str) -> bool:
    return f"{path}.".startswith(f"{other}.")


def _parameter_faults(
    place: Stream | Snapshot | TombstoneStream, changes: Changes | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield parameters that one request would carry with two meanings: one of them would be lost."""
    taken = dict.fromkeys(place.read.query, "read.query")
    named = {
        ("pages", "parameter"): getattr(place.pages, "parameter", None),
        ("pages", "size", "parameter"): place.pages.size.parameter if place.pages.size else None,
    }
    if isinstance(changes, TokenChanges):
        named |= {("changes", "parameter"): changes.parameter}
    elif changes is not None and not isinstance(place, Snapshot):
        named |= {("changes", "since"): changes.since, ("changes", "until"): changes.until}
    for keys, parameter in named.items():
        if parameter in taken:
            yield keys, f"the parameter {parameter} is also {taken[parameter]}; one of them would be lost"
        if parameter is not None:
            taken[parameter] = ".".join(keys)


_OF_PAGES = {"number": "page", "offset": "offset", "cursor": "cursor"}
"""By kind of pages, the placeholder that stands for a page's place."""


def _placeholder_faults(
    place: Stream | Snapshot | TombstoneStream, changes: Changes | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield placeholders for which nothing ever stands, and what no request would say."""
    if place.read.in_table:
        return
    named, pages = place.read.placeholders, place.pages
    windowed = isinstance(changes, TimeChanges | SequenceChanges) and not isinstance(place, Snapshot)
    known = {"uuid", *(("since", "until") if windowed else ())}
    if pages.size:
        known.add("size")
        if pages.size.parameter is None and "size" not in named:
            yield ("pages", "size"), "no request says it; write parameter, or {size} in read"
    if own := _OF_PAGES.get(pages.kind):
        known.add(own)
        if getattr(pages, "parameter", None) is None and own not in named:
            yield ("pages", "kind"), f"no request says which page; write parameter, or {{{own}}} in read"
    if stray := sorted((named & OF_REQUESTS) - known):
        yield ("read",), f"nothing stands for {{{stray[0]}}}; {_ORIGINS[stray[0]]}"
    if windowed and getattr(changes, "since", None) is None and "since" not in named:
        yield ("read",), "no request asks for changes; write {since} in it, or the parameter in changes.since"


_ORIGINS = {
    **dict.fromkeys(("since", "until"), "it needs changes"),
    "size": "it needs pages.size",
    **{name: f"it needs pages of kind {kind}" for kind, name in _OF_PAGES.items()},
}


def _changes_of(connector: Connector, keys: Keys) -> Changes | None:
    return connector.streams[keys[1]].changes


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
