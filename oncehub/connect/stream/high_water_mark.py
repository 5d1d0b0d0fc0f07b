"""High-water mark: the latest time or sequence that records state; the next read of changes begins there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from oncehub.config.connector import SequenceChanges, Stream, Updated
from oncehub.connect.formats import getter
from oncehub.connect.stream.window import Bound


def latest(records: Iterable[Any], stream: Stream, most: Bound) -> Bound:
    """Return the latest time of statement, or highest sequence, that is not beyond `most`.

    None when no record has one. Records beyond `most` changed while they were read, or a clock is wrong.
    """
    return max((mark for mark in marks(records, stream) if most is None or mark <= most), default=None)  # type: ignore[operator]


def marks(records: Iterable[Any], stream: Stream) -> Iterator[datetime | int]:
    """Yield the times of statement, or sequences, that records state."""
    by_sequence = isinstance(stream.changes, SequenceChanges)
    get = getter(
        stream.changes.field if isinstance(stream.changes, SequenceChanges) else stream.updated.field
    )
    for value in map(get, records):
        mark = _number(value) if by_sequence else stated_time(value, stream.updated)
        if mark is not None:
            yield mark


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    # What the hub cannot store as a sequence is none.
    return number if number is not None and abs(number) < 2**63 else None


def stated_time(value: Any, updated: Updated) -> datetime | None:
    """Read a time as the source writes `updated`; None where it cannot be read."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        if updated.format in {"unix", "unix_ms"}:
            seconds = float(value) / (1 if updated.format == "unix" else 1000)
            return datetime.fromtimestamp(seconds, UTC)
        text = str(value)
        iso = updated.format == "iso8601"
        moment = datetime.fromisoformat(text) if iso else datetime.strptime(text, updated.format)  # noqa: DTZ007
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(updated.zone))
    except (ValueError, OverflowError, OSError):
        return None
