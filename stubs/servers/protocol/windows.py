"""Windows and pages cut from a stream's sorted frame without copying it."""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

Rows = npt.NDArray[np.int64]


class SortedStream:
    """A stream's frame with what a page needs to be found in O(log n).

    `frame` is what `World.frame` gives: sorted by (`_updated_at`, `_key`), with `_deleted` and `_raw`.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame.rechunk()
        self._keys = self._frame["_key"]
        self._times: Rows = self._frame["_updated_at"].to_physical().to_numpy()
        self._all: Rows = np.arange(frame.height, dtype=np.int64)
        self._live: Rows = np.flatnonzero(~self._frame["_deleted"].to_numpy())

    def select(self, since: datetime | None, until: datetime | None, *, deleted: bool) -> "Selection":
        """The rows updated in [`since`, `until`), deleted ones only when asked for."""
        first = 0 if since is None else int(np.searchsorted(self._times, microseconds(since)))
        end = len(self._times) if until is None else int(np.searchsorted(self._times, microseconds(until)))
        if deleted:
            return Selection(self, self._all[first:end])
        low, high = np.searchsorted(self._live, [first, end])
        return Selection(self, self._live[low:high])

    def take(self, rows: Rows) -> pl.DataFrame:
        """The frame's rows at ascending positions."""
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            return self._frame.slice(int(rows[0]), len(rows))
        return self._frame[rows]

    def live(self) -> pl.DataFrame:
        """All rows that are not deleted."""
        return self.take(self._live)

    def position(self, row: int) -> tuple[int, str]:
        """The sort position of a row: microseconds since 1970 and key."""
        return int(self._times[row]), str(self._keys[row])

    def row_after(self, micros: int, key: str) -> int:
        """The first row behind a sort position."""
        first, end = np.searchsorted(self._times, [micros, micros + 1])
        return int(first) + int(
            self._keys.slice(int(first), int(end - first)).search_sorted(key, side="right")
        )

    def has_stood_at(self, micros: int, key: str) -> bool:
        """Whether a record of that key stands at the position, or has moved on to a later one since."""
        row = self.row_after(micros, key)
        if row and self.position(row - 1) == (micros, key):
            return True
        now = (self._keys == key).arg_max() if len(self._keys) else None
        return now is not None and self._keys[now] == key and int(self._times[now]) > micros


class Selection:
    """The rows of one window, in order."""

    def __init__(self, stream: SortedStream, rows: Rows) -> None:
        self._stream = stream
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def page(self, start: int, size: int) -> pl.DataFrame:
        """At most `size` rows from `start`; empty beyond the end."""
        return self._stream.take(self._rows[start : start + size])

    def start_after(self, micros: int, key: str) -> int:
        """Where in the selection the rows behind a sort position begin."""
        return int(np.searchsorted(self._rows, self._stream.row_after(micros, key)))

    def position(self, index: int) -> tuple[int, str]:
        """The sort position of the selection's row `index`."""
        return self._stream.position(int(self._rows[index]))


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970-01-01T00:00:00Z of an aware instant."""
    epoch = datetime(1970, 1, 1, tzinfo=instant.tzinfo)
    if instant.tzinfo is None or instant.utcoffset():
        raise ValueError("an instant in UTC is needed")
    elapsed = instant - epoch
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def wire_records(page: pl.DataFrame) -> list[orjson.Fragment]:
    """A page's records as JSON texts, without underscore columns; a `_raw` text stands in verbatim."""
    # Polars writes JSON several times faster than Python objects are made, and outside the interpreter lock.
    lines = page.select(pl.exclude("^_.*$")).write_ndjson().encode().split(b"\n")[: page.height]
    raws = page["_raw"]
    return [orjson.Fragment(line if raw is None else raw) for line, raw in zip(lines, raws, strict=True)]
