"""Connectors that read in smaller pages."""

from __future__ import annotations

from typing import Any

from oncehub.config.connector import Connector, Stream, TombstoneStream
from oncehub.config.reading import Pages


def page_size(stream: Stream) -> int | None:
    """How many records a page of the stream is asked for; None where the source decides."""
    return stream.pages.size.value if stream.pages.size else None


def resized(connector: Connector, stream: str, most: int) -> Connector:
    """The connector with pages of at most so many records in one stream, where the reader may choose."""
    spec = connector.streams[stream]
    changed: dict[str, Any] = {"pages": _smaller(spec.pages, most)}
    if spec.snapshot:
        changed["snapshot"] = spec.snapshot.model_copy(update={"pages": _smaller(spec.snapshot.pages, most)})
    if isinstance(spec.deletes, TombstoneStream):
        changed["deletes"] = spec.deletes.model_copy(update={"pages": _smaller(spec.deletes.pages, most)})
    streams = {**connector.streams, stream: spec.model_copy(update=changed)}
    return connector.model_copy(update={"streams": streams})


def _smaller(pages: Pages, most: int) -> Pages:
    if pages.size is None or pages.size.value <= most:
        return pages
    size = pages.size.model_copy(update={"value": most})
    return pages.model_copy(update={"size": size})
