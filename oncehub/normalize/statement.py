"""Who a record is about and when it was stated: its key and its moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from oncehub.model.connector import Connector, Stream
from oncehub.model.errors import ConfigError
from oncehub.normalize.checks import KEY_BYTES, ROW, Check
from oncehub.normalize.contract import Contract
from oncehub.normalize.dates import datetime
from oncehub.normalize.frame import field, present
from oncehub.normalize.mapping import CARRIED, KEY, STATED

SEPARATOR: Final = "\x1f"
"""Between the fields of a key of several."""


class Statement:
    """Reads the key and the moment that the connector names.

    Attributes:
        paths: the fields it reads.
        checks: what a record must state to be landed at all.

    Raises:
        ConfigError: when the contract does not know a field that the connector names.
    """

    def __init__(self, connector: Connector, name: str, contract: Contract) -> None:
        stream = connector.streams[name]
        self._key = stream.key
        self._updated = stream.updated
        self.paths = (*stream.key, stream.updated.field)
        _check_paths(connector, name, stream, contract)
        try:
            moment = self._moment(field(self._updated.field))
        except ValueError as fault:
            place = connector.where("streams", name, "updated", "format")
            raise ConfigError(f"{place}: streams.{name}.updated: {fault}") from None
        self._columns = [
            self._joined([field(path) for path in self._key]).alias(CARRIED[KEY]),
            moment.alias(CARRIED[STATED]),
        ]
        self.checks = self._checks()

    def read(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add the working columns of source_key and of stated_at (UTC); null where unreadable."""
        return frame.with_columns(self._columns)

    def read_raw(self, records: Sequence[Any], rows: Sequence[int]) -> pl.DataFrame:
        """Like `read`, for records that broke their contract: `#row` and the two columns, where readable."""
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
        return datetime(present(value), self._updated.format, self._updated.zone)


def _scalar(record: Any, path: str) -> str | None:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return str(record) if isinstance(record, str | int) and not isinstance(record, bool) else None


def _check_paths(connector: Connector, name: str, stream: Stream, contract: Contract) -> None:
    stated: list[tuple[str, tuple[str | int, ...]]] = [
        *((path, ("key", place)) for place, path in enumerate(stream.key)),
        (stream.updated.field, ("updated", "field")),
    ]
    if stream.deletes and stream.deletes.kind != "absence":
        stated.append((stream.deletes.field, ("deletes", "field")))
    wrong: list[str] = []
    for path, keys in stated:
        try:
            contract.at(path)
        except ValueError as fault:
            wrong.append(f"{connector.where('streams', name, *keys)}: streams.{name}.{keys[0]}: {fault}")
    if wrong:
        raise ConfigError("\n".join(wrong))
