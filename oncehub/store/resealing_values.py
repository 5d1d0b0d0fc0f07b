"""Sensitive values in the tables that hold any, and how each is sealed anew where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case
from psycopg2.extras import Json, execute_values

from oncehub.model.entities import Entity
from oncehub.store.encryption import Ciphers
from oncehub.store.resealing import FORMER, Step
from oncehub.store.sealed_values import PREFIX, record_of, resealed, sensitive_of

_COUNT: Final = sql.SQL("""
select case when starts_with(value, {prefix}) then split_part(value, ':', 2) else {former} end, count(*)
from {table}, lateral (values {values}) stored (value)
where value is not null
group by 1
""")

# Rows that somebody else is writing are left for the next pass: they may be sealed with the new key by then.
_STALE: Final = sql.SQL("""
select {key}, {content} from {table}
where {place} and ({stale})
order by {key}
limit {size}
for update of {name} skip locked
""")

_ROWS_OF: Final = sql.SQL(
    "select {key}, {content} from {table} where {place} and ({stale}) for update of {name}"
)

_NOT_UNDER: Final = sql.SQL("{value} is not null and not starts_with({value}, {primary})")


@dataclass(frozen=True)
class SealedRecords:
    """The sensitive attributes of an entity's records."""

    entity: Entity

    @property
    def name(self) -> str:
        """The table."""
        return f"record.{self.entity.name}"

    @property
    def _columns(self) -> tuple[str, ...]:
        return tuple(sensitive_of(self.entity))

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count values by key id."""
        return _counted(cursor, self._table, [sql.Identifier(name) for name in self._columns])

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal the values of the next records anew."""
        key = self.entity.key_columns
        place = _beyond(key, after)
        rows = self._stale(cursor, ciphers, _STALE, place, size)
        return _step(self._written(cursor, ciphers, rows), rows, len(key))

    def reseal_of(self, cursor: Cursor, ciphers: Ciphers, place: sql.Composable) -> None:
        """Seal anew whatever of some records is not under the primary key; `place` is a condition on them."""
        self._written(cursor, ciphers, self._stale(cursor, ciphers, _ROWS_OF, place, 0))

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier("record", self.entity.name)

    def _stale(
        self, cursor: Cursor, ciphers: Ciphers, query: sql.SQL, place: sql.Composable, size: int
    ) -> list[tuple[Any, ...]]:
        columns = [sql.Identifier(name) for name in self._columns]
        cursor.execute(
            query.format(
                key=_names(self.entity.key_columns),
                content=sql.SQL(", ").join(columns),
                table=self._table,
                name=sql.Identifier(self.entity.name),
                place=place,
                stale=_stale(ciphers, columns),
                size=sql.Literal(size),
            )
        )
        return cursor.fetchall()

    def _written(self, cursor: Cursor, ciphers: Ciphers, rows: Sequence[tuple[Any, ...]]) -> int:
        width = len(self.entity.key_columns)
        anew = [
            (
                *row[:width],
                *_resealed(ciphers, self.entity, zip(self._columns, row[width:], strict=True), row[:3]),
            )
            for row in rows
        ]
        _update(cursor, self._table, self.entity.key_columns, self._columns, anew)
        return sum(value is not None for row in rows for value in row[width:])


@dataclass(frozen=True)
class SealedPeople:
    """The sensitive attributes of what is believed of people."""

    entity: Entity
    name: str = "truth.person"

    @property
    def _columns(self) -> tuple[str, ...]:
        return tuple(sensitive_of(self.entity))

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count values by key id."""
        return _counted(cursor, _PERSON, [sql.Identifier(name) for name in self._columns])

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal the values of the next people anew."""
        rows = self._stale(cursor, ciphers, _STALE, _beyond(("person_key",), after), size)
        return _step(self._written(cursor, ciphers, rows), rows, 1)

    def reseal_of(self, cursor: Cursor, ciphers: Ciphers, place: sql.Composable) -> None:
        """Seal anew whatever of some people is not under the primary key; `place` is a condition on them."""
        self._written(cursor, ciphers, self._stale(cursor, ciphers, _ROWS_OF, place, 0))

    def _stale(
        self, cursor: Cursor, ciphers: Ciphers, query: sql.SQL, place: sql.Composable, size: int
    ) -> list[tuple[Any, ...]]:
        columns = [sql.Identifier(name) for name in self._columns]
        cursor.execute(
            query.format(
                key=sql.Identifier("person_key"),
                content=sql.SQL(", ").join([sql.Identifier("provenance"), *columns]),
                table=_PERSON,
                name=sql.Identifier("person"),
                place=place,
                stale=_stale(ciphers, columns),
                size=sql.Literal(size),
            )
        )
        return cursor.fetchall()

    def _written(self, cursor: Cursor, ciphers: Ciphers, rows: Sequence[tuple[Any, ...]]) -> int:
        anew = []
        for key, provenance, *values in rows:
            stated = zip(self._columns, values, strict=True)
            anew.append((key, *_resealed_by(ciphers, self.entity, stated, provenance)))
        _update(cursor, _PERSON, ("person_key",), self._columns, anew)
        return sum(value is not None for _, _, *values in rows for value in values)


@dataclass(frozen=True)
class SealedVersions:
    """The sensitive attributes of what was believed of people before."""

    entity: Entity
    name: str = "truth.person_version"

    @property
    def _values(self) -> list[sql.Composable]:
        return [sql.SQL("believed ->> {}").format(sql.Literal(name)) for name in sensitive_of(self.entity)]

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count values by key id."""
        return _counted(cursor, _VERSION, self._values)

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal the values of the next versions anew."""
        key = ("person_key", "believed_from")
        cursor.execute(
            _STALE.format(
                key=_names(key),
                content=sql.SQL("believed, provenance"),
                table=_VERSION,
                name=sql.Identifier("person_version"),
                place=_beyond(key, after),
                stale=_stale(ciphers, self._values),
                size=sql.Literal(size),
            )
        )
        rows = cursor.fetchall()
        anew, values = [], 0
        for person_key, believed_from, believed, provenance in rows:
            stated = [(name, believed[name]) for name in sensitive_of(self.entity) if name in believed]
            fresh = _resealed_by(ciphers, self.entity, stated, provenance)
            changed = dict(zip([name for name, _ in stated], fresh, strict=True))
            anew.append((person_key, believed_from, Json(believed | changed)))
            values += len(changed)
        _update(cursor, _VERSION, key, ("believed",), anew)
        return _step(values, rows, len(key))


@dataclass(frozen=True)
class SealedDeliveries:
    """The sensitive attributes in the lines of feeds, whose `sealed` says which record states each."""

    entity: Entity
    name: str = "share.delivery"

    @property
    def _values(self) -> list[sql.Composable]:
        return [
            sql.SQL("line -> 'values' ->> {}").format(sql.Literal(f"{self.entity.name}.{name}"))
            for name in sensitive_of(self.entity)
        ]

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count values by key id."""
        return _counted(cursor, _DELIVERY, self._values)

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal the values of the next lines anew."""
        key = ("feed", "sequence")
        cursor.execute(
            _STALE.format(
                key=_names(key),
                content=sql.SQL("line"),
                table=_DELIVERY,
                name=sql.Identifier("delivery"),
                place=_beyond(key, after),
                stale=_stale(ciphers, self._values),
                size=sql.Literal(size),
            )
        )
        rows = cursor.fetchall()
        anew, count = [], 0
        for feed, sequence, line in rows:
            fresh, places = dict(line["values"]), dict(line.get("sealed", {}))
            for name in sensitive_of(self.entity):
                attribute = f"{self.entity.name}.{name}"
                if fresh.get(attribute) is None:
                    continue
                # A line from before the ring does not say by which record: it is bound to the line itself.
                place = places.setdefault(attribute, ["share.delivery", feed, str(sequence)])
                fresh[attribute] = resealed(ciphers, attribute, tuple(place), fresh[attribute], indexed=False)
                count += 1
            anew.append((feed, sequence, Json(line | {"values": fresh, "sealed": places})))
        _update(cursor, _DELIVERY, key, ("line",), anew)
        return _step(count, rows, len(key))


_PERSON: Final = sql.Identifier("truth", "person")
_VERSION: Final = sql.Identifier("truth", "person_version")
_DELIVERY: Final = sql.Identifier("share", "delivery")
_TYPES: Final = {
    "person_key": "uuid",
    "believed_from": "timestamptz",
    "believed": "jsonb",
    "line": "jsonb",
    "sequence": "bigint",
}


def _counted(cursor: Cursor, table: sql.Identifier, values: Sequence[sql.Composable]) -> Counter[str]:
    stored = sql.SQL(", ").join(sql.SQL("({})").format(value) for value in values)
    cursor.execute(
        _COUNT.format(prefix=sql.Literal(PREFIX), former=sql.Literal(FORMER), table=table, values=stored)
    )
    return Counter(dict(cursor.fetchall()))


def _stale(ciphers: Ciphers, values: Iterable[sql.Composable]) -> sql.Composed:
    primary = sql.Literal(f"{PREFIX}{ciphers.ring.primary}:")
    return sql.SQL(" or ").join(_NOT_UNDER.format(value=value, primary=primary) for value in values)


def _beyond(key: Sequence[str], after: Any) -> sql.Composable:
    if after is None:
        return sql.SQL("true")
    beyond = sql.SQL(", ").join(
        sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(_TYPES.get(name, "text")))
        for name, value in zip(key, after, strict=True)
    )
    return sql.SQL("({}) > ({})").format(_names(key), beyond)


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _step(values: int, rows: Sequence[tuple[Any, ...]], width: int) -> Step | None:
    return Step(values, rows[-1][:width]) if rows else None


def _resealed(
    ciphers: Ciphers, entity: Entity, stated: Iterable[tuple[str, str | None]], record: Sequence[str]
) -> list[str | None]:
    source, stream, key = record
    return [
        None
        if value is None
        else resealed(
            ciphers,
            f"{entity.name}.{name}",
            (source, stream, key),
            value,
            indexed=entity.attributes[name].indexed,
        )
        for name, value in stated
    ]


def _resealed_by(
    ciphers: Ciphers, entity: Entity, stated: Iterable[tuple[str, str | None]], provenance: Any
) -> list[str | None]:
    return [
        None if value is None else _resealed(ciphers, entity, [(name, value)], record_of(provenance, name))[0]
        for name, value in stated
    ]


def _update(
    cursor: Cursor,
    table: sql.Identifier,
    key: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    if not rows:
        return
    statement = sql.SQL("update {} old set {} from (values %s) new ({}) where ({}) = ({})").format(
        table,
        sql.SQL(", ").join(sql.SQL("{0} = new.{0}").format(sql.Identifier(name)) for name in columns),
        _names((*key, *columns)),
        sql.SQL(", ").join(sql.Identifier("old", name) for name in key),
        sql.SQL(", ").join(sql.Identifier("new", name) for name in key),
    )
    template = ", ".join(f"%s::{_TYPES.get(name, 'text')}" for name in (*key, *columns))
    execute_values(cursor, statement, rows, template=f"({template})", page_size=len(rows))
