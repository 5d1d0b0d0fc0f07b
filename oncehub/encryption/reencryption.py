"""Re-encryption of sensitive attributes: in each table that holds any, a batch of rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from psycopg2 import sql
from psycopg2.extras import execute_values

from oncehub.config.entities import Entity
from oncehub.encryption.cipher import Ciphers
from oncehub.encryption.field_values import PREFIX, is_encrypted, record_of, reencrypted, sensitive_of
from oncehub.store.connection import Cursor

_COUNT: Final = sql.SQL("""
select split_part(value, ':', 2), count(*)
from {table}, lateral (values {values}) stored (value)
where starts_with(value, {prefix})
group by 1
""")

# Rows that another transaction is writing wait for the next pass.
_STALE: Final = sql.SQL("""
select {key}, {values}, {origins} from {table}
where {rows} and ({stale})
order by {key}
limit {size}
for update skip locked
""")

_NOT_UNDER: Final = sql.SQL("starts_with({value}, {prefix}) and not starts_with({value}, {primary})")

_UPDATE: Final = sql.SQL("""
update {table} old set {change} from (values %s) new ({columns}) where ({old_key}) = ({new_key})
""")

_RECORD_ORIGINS: Final = sql.SQL("""
jsonb_build_object('*', jsonb_build_object('source', source, 'stream', stream, 'source_key', source_key))
""")

_LINE_ORIGINS: Final = sql.SQL("""(
    select jsonb_object_agg(split_part(key, '.', 2), jsonb_build_object(
        'source', value ->> 0, 'stream', value ->> 1, 'source_key', value ->> 2
    ))
    from jsonb_each(line -> 'origins')
)""")


@dataclass(frozen=True)
class Step:
    """One batch: how many values were re-encrypted, and after which row the next batch begins."""

    values: int
    after: Any


class EncryptedTable(Protocol):
    """A table that holds encrypted values."""

    @property
    def name(self) -> str:
        """The table, with its schema."""

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count the encrypted values by key id."""

    def reencrypt(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Re-encrypt the values of the next rows under the primary data key; None after the last row."""


@dataclass(frozen=True)
class EncryptedFields:
    """A table whose rows hold sensitive attributes of an entity.

    Attributes:
        name: the table, with its schema.
        key: the columns that name a row, each with its type.
        values: by attribute, SQL of the stored value; null where a row has none.
        origins: SQL of a provenance that says which record states each attribute; see `record_of`.
        change: SQL that stores the attributes of `new` in the row `old`.
    """

    name: str
    entity: Entity
    key: Mapping[str, str]
    values: Mapping[str, sql.Composable]
    origins: sql.Composable
    change: sql.Composable

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count the encrypted values by key id."""
        values = _listed(sql.SQL("({})").format(value) for value in self.values.values())
        cursor.execute(_COUNT.format(table=self._table, values=values, prefix=sql.Literal(PREFIX)))
        return Counter(dict(cursor.fetchall()))

    def reencrypt(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Re-encrypt the values of the next rows."""
        prefix, primary = sql.Literal(PREFIX), sql.Literal(f"{PREFIX}{ciphers.primary_id}:")
        statement = _STALE.format(
            key=_names(self.key),
            values=_listed(self.values.values()),
            origins=self.origins,
            table=self._table,
            rows=self._beyond(after),
            stale=sql.SQL(" or ").join(
                _NOT_UNDER.format(value=value, prefix=prefix, primary=primary)
                for value in self.values.values()
            ),
            size=sql.Literal(size),
        )
        cursor.execute(statement)
        rows = cursor.fetchall()
        if not rows:
            return None
        self._write(cursor, [self._under_primary(ciphers, row) for row in rows])
        width = len(self.key)
        values = sum(value is not None for row in rows for value in row[width:-1])
        return Step(values, rows[-1][:width])

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier(*self.name.split("."))

    def _under_primary(self, ciphers: Ciphers, row: Sequence[Any]) -> list[Any]:
        """Return a row's key, and its values under the primary data key."""
        *stored, provenance = row
        width = len(self.key)
        indexed = sensitive_of(self.entity)
        return stored[:width] + [
            reencrypted(
                ciphers,
                self.entity.qualified(name),
                record_of(provenance, name),
                value,
                indexed=indexed[name],
            )
            if is_encrypted(value)
            else value
            for name, value in zip(self.values, stored[width:], strict=True)
        ]

    def _beyond(self, after: Any) -> sql.Composable:
        if after is None:
            return sql.SQL("true")
        beyond = _listed(
            sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(kind))
            for value, kind in zip(after, self.key.values(), strict=True)
        )
        return sql.SQL("({}) > ({})").format(_names(self.key), beyond)

    def _write(self, cursor: Cursor, rows: Sequence[Sequence[Any]]) -> None:
        statement = _UPDATE.format(
            table=self._table,
            change=self.change,
            columns=_names([*self.key, *self.values]),
            old_key=_names(self.key, "old"),
            new_key=_names(self.key, "new"),
        )
        kinds = [*self.key.values(), *("text" for _ in self.values)]
        template = ", ".join(f"%s::{kind}" for kind in kinds)
        execute_values(cursor, statement, rows, template=f"({template})", page_size=len(rows))


def record_fields(entity: Entity) -> EncryptedFields:
    """The sensitive attributes of an entity's records."""
    key = dict.fromkeys(entity.key_columns, "text")
    return _columns(f"record.{entity.name}", entity, key, _RECORD_ORIGINS)


def person_fields(entity: Entity) -> EncryptedFields:
    """The sensitive attributes of golden records."""
    return _columns("truth.person", entity, {"person_key": "uuid"}, sql.SQL("provenance"))


def version_fields(entity: Entity) -> EncryptedFields:
    """The sensitive attributes of earlier versions of golden records."""
    return EncryptedFields(
        "truth.person_version",
        entity,
        key={"person_key": "uuid", "believed_from": "timestamptz"},
        values=_values(entity, lambda name: sql.SQL("believed ->> {}").format(sql.Literal(name))),
        origins=sql.SQL("provenance"),
        change=sql.SQL("believed = old.believed || {}").format(_changed(entity, "")),
    )


def feed_fields(entity: Entity) -> EncryptedFields:
    """The sensitive attributes in the lines of feeds, whose `origins` says which record states each."""
    prefix = f"{entity.name}."
    return EncryptedFields(
        "share.feed_entry",
        entity,
        key={"feed": "text", "sequence": "bigint"},
        values=_values(
            entity, lambda name: sql.SQL("line -> 'values' ->> {}").format(sql.Literal(prefix + name))
        ),
        origins=_LINE_ORIGINS,
        change=sql.SQL("line = jsonb_set(old.line, '{{values}}', (old.line -> 'values') || {})").format(
            _changed(entity, prefix)
        ),
    )


def _columns(table: str, entity: Entity, key: Mapping[str, str], origins: sql.Composable) -> EncryptedFields:
    """A table that has a column for each attribute."""
    change = _listed(sql.SQL("{0} = new.{0}").format(sql.Identifier(name)) for name in sensitive_of(entity))
    return EncryptedFields(table, entity, key, _values(entity, sql.Identifier), origins, change)


def _values(entity: Entity, value: Callable[[str], sql.Composable]) -> dict[str, sql.Composable]:
    return {name: value(name) for name in sensitive_of(entity)}


def _changed(entity: Entity, prefix: str) -> sql.Composed:
    """An object of the attributes of `new`, without those that the row lacks."""
    pairs = _listed(
        sql.SQL("{}, {}").format(sql.Literal(prefix + name), sql.Identifier("new", name))
        for name in sensitive_of(entity)
    )
    return sql.SQL("jsonb_strip_nulls(jsonb_build_object({}))").format(pairs)


def _names(names: Iterable[str], of: str | None = None) -> sql.Composed:
    return _listed(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
