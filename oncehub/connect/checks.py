"""Faults of a connector that no request is needed to see."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oncehub.config.connector import Connector, Snapshot, Stream, TombstoneStream, Updated
from oncehub.connect.formats import check_read
from oncehub.errors import ConfigError

Keys = tuple[str, ...]


def check_connector(connector: Connector) -> None:
    """Refuse what of a connector cannot be read as it is stated.

    Raises:
        ConfigError: with the place, and what to write instead.
    """
    for keys, place in places(connector):
        check_read(connector, keys, place.read, place.pages)
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
