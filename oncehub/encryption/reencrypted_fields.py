"""Sensitive values in the tables that hold any, and how each is sealed anew where it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from psycopg2 import sql
from psycopg2.extras import Json, execute_values

from oncehub.config.entities import Entity
from oncehub.encryption.cipher import Ciphers
from oncehub.encryption.field_values import PREFIX, Record, record_of, resealed, sensitive_of
from oncehub.encryption.reencryption import FORMER, Step
from oncehub.store.connection import Cursor

_COUNT: Final = sql.SQL("""
select case when starts_with(value, {prefix}) then split_part(value, ':', 2) else {former} end, count(*)
from {table}, lateral (values {values}) stored (value)
where value is not null
group by 1
""")

_STALE: Final = sql.SQL("""
select {key}, {content}, num_nonnulls({values}) from {table}
where {place} and ({stale})
""")

# Rows that somebody else is writing are left for the next pass: they may be sealed with the new key by then.
_NEXT: Final = sql.SQL("order by {key} limit {size} for update skip locked")

_ALL: Final = sql.SQL("for update")

_NOT_UNDER: Final = sql.SQL("{value} is not null and not starts_with({value}, {primary})")

_UPDATE: Final = sql.SQL("""
update {table} old set {changes} from (values %s) new ({columns}) where ({old_key}) = ({new_key})
""")

_TYPES: Final = {
    "person_key": "uuid",
    "believed_from": "timestamptz",
    "believed": "jsonb",
    "line": "jsonb",
    "sequence": "bigint",
}
"""Of the columns that are no text."""


class _SealedRows(ABC):
    """A table whose rows hold sensitive attributes of an entity.

    Attributes:
        name: the table's, with its schema.
    """

    def __init__(
        self,
        entity: Entity,
        name: str,
        *,
        key: Sequence[str],
        content: Sequence[str],
        written: Sequence[str],
        values: Iterable[sql.Composable],
    ) -> None:
        """Tell how the rows look.

        Args:
            entity: whose attributes they hold.
            name: the table's.
            key: the columns that name a row.
            content: the columns that it takes to seal the values of a row anew.
            written: the columns that hold them.
            values: each of them as SQL; null where a row has none.
        """
        self.name = name
        self._entity = entity
        self._table = sql.Identifier(*name.split("."))
        self._key = tuple(key)
        self._content = tuple(content)
        self._written = tuple(written)
        self._values = list(values)

    @abstractmethod
    def _anew(self, ciphers: Ciphers, row: Sequence[Any]) -> Iterable[Any]:
        """Return what is to be written of a row (its key, then its content), all under the primary key."""

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count values by key id."""
        cursor.execute(
            _COUNT.format(
                prefix=sql.Literal(PREFIX),
                former=sql.Literal(FORMER),
                table=self._table,
                values=sql.SQL(", ").join(sql.SQL("({})").format(value) for value in self._values),
            )
        )
        return Counter(dict(cursor.fetchall()))

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal the values of the next rows anew."""
        following = _NEXT.format(key=_names(self._key), size=sql.Literal(size))
        rows = self._seal_stale(cursor, ciphers, self._beyond(after), following)
        if not rows:
            return None
        return Step(sum(values for *_, values in rows), rows[-1][: len(self._key)])

    def reseal_of(self, cursor: Cursor, ciphers: Ciphers, place: sql.Composable) -> None:
        """Seal anew whatever of some rows is not under the primary key; `place` is a condition on them."""
        self._seal_stale(cursor, ciphers, place, _ALL)

    def _seal_stale(
        self, cursor: Cursor, ciphers: Ciphers, place: sql.Composable, which: sql.Composable
    ) -> list[tuple[Any, ...]]:
        """Seal stale rows anew, and return them as they were: key, content, how many values each has."""
        stale = _STALE.format(
            key=_names(self._key),
            content=_names(self._content),
            values=sql.SQL(", ").join(self._values),
            table=self._table,
            place=place,
            stale=self._stale(ciphers),
        )
        cursor.execute(stale + which)
        rows = cursor.fetchall()
        width = len(self._key)
        self._write(cursor, [(*row[:width], *self._anew(ciphers, row[:-1])) for row in rows])
        return rows

    def _stale(self, ciphers: Ciphers) -> sql.Composed:
        primary = sql.Literal(f"{PREFIX}{ciphers.ring.primary}:")
        return sql.SQL(" or ").join(_NOT_UNDER.format(value=value, primary=primary) for value in self._values)

    def _beyond(self, after: Any) -> sql.Composable:
        if after is None:
            return sql.SQL("true")
        beyond = sql.SQL(", ").join(
            sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(_TYPES.get(name, "text")))
            for name, value in zip(self._key, after, strict=True)
        )
        return sql.SQL("({}) > ({})").format(_names(self._key), beyond)

    def _write(self, cursor: Cursor, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        columns = (*self._key, *self._written)
        statement = _UPDATE.format(
            table=self._table,
            changes=sql.SQL(", ").join(
                sql.SQL("{0} = new.{0}").format(sql.Identifier(name)) for name in self._written
            ),
            columns=_names(columns),
            old_key=sql.SQL(", ").join(sql.Identifier("old", name) for name in self._key),
            new_key=sql.SQL(", ").join(sql.Identifier("new", name) for name in self._key),
        )
        template = ", ".join(f"%s::{_TYPES.get(name, 'text')}" for name in columns)
        execute_values(cursor, statement, rows, template=f"({template})", page_size=len(rows))

    def _under_primary(
        self,
        ciphers: Ciphers,
        stated: Iterable[tuple[str, str | None]],
        record: Callable[[str], Record],
    ) -> dict[str, str | None]:
        """Return attributes under the primary key; `record` tells by which record each is stated."""
        return {
            name: None
            if value is None
            else resealed(
                ciphers,
                f"{self._entity.name}.{name}",
                record(name),
                value,
                indexed=self._entity.attributes[name].indexed,
            )
            for name, value in stated
        }


class SealedRecords(_SealedRows):
    """The sensitive attributes of an entity's records."""

    def __init__(self, entity: Entity) -> None:
        columns = tuple(sensitive_of(entity))
        super().__init__(
            entity,
            f"record.{entity.name}",
            key=entity.key_columns,
            content=columns,
            written=columns,
            values=map(sql.Identifier, columns),
        )

    def _anew(self, ciphers: Ciphers, row: Sequence[Any]) -> Iterable[Any]:
        source, stream, source_key = row[:3]
        stated = zip(self._written, row[len(self._key) :], strict=True)
        return self._under_primary(ciphers, stated, lambda _: (source, stream, source_key)).values()


class SealedPeople(_SealedRows):
    """The sensitive attributes of what is believed of people."""

    def __init__(self, entity: Entity) -> None:
        columns = tuple(sensitive_of(entity))
        super().__init__(
            entity,
            "truth.person",
            key=("person_key",),
            content=("provenance", *columns),
            written=columns,
            values=map(sql.Identifier, columns),
        )

    def _anew(self, ciphers: Ciphers, row: Sequence[Any]) -> Iterable[Any]:
        _, provenance, *values = row
        stated = zip(self._written, values, strict=True)
        return self._under_primary(ciphers, stated, partial(record_of, provenance)).values()


class SealedVersions(_SealedRows):
    """The sensitive attributes of what was believed of people before."""

    def __init__(self, entity: Entity) -> None:
        super().__init__(
            entity,
            "truth.person_version",
            key=("person_key", "believed_from"),
            content=("believed", "provenance"),
            written=("believed",),
            values=(sql.SQL("believed ->> {}").format(sql.Literal(name)) for name in sensitive_of(entity)),
        )

    def _anew(self, ciphers: Ciphers, row: Sequence[Any]) -> Iterable[Any]:
        _, _, believed, provenance = row
        stated = [(name, believed[name]) for name in sensitive_of(self._entity) if name in believed]
        yield Json(believed | self._under_primary(ciphers, stated, partial(record_of, provenance)))


class SealedDeliveries(_SealedRows):
    """The sensitive attributes in the lines of feeds, whose `sealed` says which record states each."""

    def __init__(self, entity: Entity) -> None:
        self._attributes = [f"{entity.name}.{name}" for name in sensitive_of(entity)]
        super().__init__(
            entity,
            "share.delivery",
            key=("feed", "sequence"),
            content=("line",),
            written=("line",),
            values=(
                sql.SQL("line -> 'values' ->> {}").format(sql.Literal(name)) for name in self._attributes
            ),
        )

    def _anew(self, ciphers: Ciphers, row: Sequence[Any]) -> Iterable[Any]:
        feed, sequence, line = row
        fresh, places = dict(line["values"]), dict(line.get("sealed", {}))
        for attribute in self._attributes:
            if fresh.get(attribute) is None:
                continue
            # A line from before the ring does not say by which record: it is bound to the line itself.
            place = places.setdefault(attribute, ["share.delivery", feed, str(sequence)])
            fresh[attribute] = resealed(ciphers, attribute, tuple(place), fresh[attribute], indexed=False)
        yield Json(line | {"values": fresh, "sealed": places})


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
