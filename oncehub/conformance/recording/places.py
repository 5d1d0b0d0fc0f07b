"""Which place of the connector a recorded response came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from oncehub.config.connector import Connector
from oncehub.config.reading import Pages, Read
from oncehub.conformance.recorder import RequestKey
from oncehub.connect.checks import places

Kind = Literal["page", "listing", "file", "watermark"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Place:
    """One path that a connector asks.

    Attributes:
        stream: whose records lie there.
        template: the path, with placeholders.
        deletions: whether tombstones lie there.
    """

    kind: Kind
    stream: str
    template: str
    read: Read
    pages: Pages
    deletions: bool = False

    def values(self, asked: RequestKey) -> Mapping[str, str] | None:
        """What stands for the placeholders in a request for this place; None where it is for another."""
        parts = _PLACEHOLDER.split(self.template)
        pattern = "".join(
            rf"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts)
        )
        found = re.fullmatch(pattern, asked.path)
        return None if found is None else {name: unquote(part) for name, part in found.groupdict().items()}

    def path(self, values: Mapping[str, str]) -> str:
        """The path with these values."""
        return _PLACEHOLDER.sub(lambda name: quote(values[name[1]], safe=""), self.template)


def places_of(connector: Connector) -> list[Place]:
    """All paths that a connector asks; those without placeholders first, for they say more."""
    return sorted(_places(connector), key=lambda place: len(_PLACEHOLDER.findall(place.template)))


def _places(connector: Connector) -> Iterator[Place]:
    for keys, place in places(connector):
        read, stream = place.read, keys[1]
        if read.path is None:
            continue
        kind: Kind = "file" if read.listing else "page"
        yield Place(kind, stream, read.path, read, place.pages, deletions=keys[-1] == "deletes")
        if read.listing:
            yield Place("listing", stream, read.listing.path, read, place.pages)
    for stream, spec in connector.streams.items():
        if spec.snapshot and spec.snapshot.watermark:
            yield Place("watermark", stream, spec.snapshot.watermark.path, spec.read, spec.pages)
