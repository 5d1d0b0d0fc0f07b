"""Reads the key and the time of statement of records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import polars as pl

from oncehub.config.connector import Updated
from oncehub.connect.formats.paths import as_one
from oncehub.normalize.checks import KEY_BYTES, ROW, Check
from oncehub.normalize.contract.agreed_type import ABSENT, in_agreed_type
from oncehub.normalize.frame import field, present
from oncehub.normalize.mapping.compiled import CARRIED, KEY, STATED
from oncehub.normalize.transforms.dates import datetime

SEPARATOR: Final = "\x1f"
"""Between the fields of a key of several."""


class KeyAndTime:
    """Reads the key and the time of statement of records.

    Attributes:
        paths: the fields it reads.
        checks: what every record must state to land.
    """

    def __init__(self, key: tuple[str, ...], updated: Updated) -> None:
        """Prepare to read.

        Args:
            key: fields that together identify a record; numbers and texts are equivalent.
            updated: the field with the time.

        Raises:
            ValueError: when the format or the zone of `updated` is unknown.
        """
        self._key = key
        self._updated = updated
        self.paths = (*key, updated.field)
        self._columns = [
            self._joined([field(path) for path in key]).alias(CARRIED[KEY]),
            self._moment(field(updated.field)).alias(CARRIED[STATED]),
        ]
        self.checks = self._checks()

    def read(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add the working columns of source_key and of stated_at (UTC); null where unreadable."""
        return frame.with_columns(self._columns)

    def read_raw(self, records: Sequence[Any], rows: Sequence[int]) -> pl.DataFrame:
        """Like `read`, for records in no frame: `#row` and the two columns, where readable."""
        columns = {
            str(place): pl.Series([_scalar(record, path) for record in records], dtype=pl.String)
            for place, path in enumerate(self.paths)
        }
        key = [pl.col(str(place)) for place in range(len(self._key))]
        return pl.DataFrame(columns).select(
            pl.Series(ROW, rows, dtype=pl.Int64),
            self._joined(key).alias(CARRIED[KEY]),
            self._moment(pl.col(str(len(self._key)))).alias(CARRIED[STATED]),
        )

    def _checks(self) -> list[Check]:
        key, stated = pl.col(CARRIED[KEY]), pl.col(CARRIED[STATED])
        names = ", ".join(self._key)
        return [
            Check(key.is_null(), "mapping", "the key is empty", names),
            Check(key.str.contains("\0", literal=True), "canonical", "holds U+0000", names),
            Check(key.str.len_bytes() > KEY_BYTES, "canonical", "the key is too long", names),
            Check(stated.is_null(), "mapping", "the time of statement cannot be read", self._updated.field),
        ]

    def _joined(self, parts: list[pl.Expr]) -> pl.Expr:
        return pl.concat_str([present(part.cast(pl.String)) for part in parts], separator=SEPARATOR)

    def _moment(self, value: pl.Expr) -> pl.Expr:
        return datetime(present(value.cast(pl.String)), self._updated.format, self._updated.zone)


def highest(records: Iterable[Any], path: str) -> int | None:
    """Return the largest readable number at a path."""
    numbers = (in_agreed_type(_scalar(record, path), {"integer"}) for record in records)
    return max((number for number in numbers if number is not ABSENT), default=None)


def _scalar(record: Any, path: str) -> str | None:
    """Return the value at a path as a frame would hold it as text."""
    record = as_one(record, path)
    if isinstance(record, float) and record.is_integer():
        return str(int(record))
    return str(record) if isinstance(record, str | int) and not isinstance(record, bool) else None
