"""The floor of a full reconcile: the rows it wrote, copied by plain `insert … select` into empty twins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg2 import sql

from oncehub.store.connection import Connection

_TABLES: Final = """
select nspname || '.' || relname
from pg_class join pg_namespace n on n.oid = relnamespace
where nspname in ('truth', 'share') and relkind in ('r', 'p') and not relispartition
order by 1
"""

_PARTED: Final = "select pg_get_partkeydef(%s::regclass)"

_PARTS: Final = """
select c.oid::regclass::text, relname, pg_get_expr(relpartbound, c.oid)
from pg_inherits join pg_class c on c.oid = inhrelid
where inhparent = %s::regclass
order by relname
"""

_COLUMNS: Final = """
select attname from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''
order by attnum
"""

_COPY: Final = "insert into {twin} ({columns}) overriding system value select {columns} from {table}"


@dataclass(frozen=True)
class Written:
    """The number of rows of each table of `truth` and `share`."""

    rows: Mapping[str, int]

    @classmethod
    def of(cls, connection: Connection) -> Written:
        """Count the rows."""
        counted = {
            table: _column(connection, sql.SQL("select count(*) from {}").format(_name(table)))[0]
            for table in _column(connection, _TABLES)
        }
        return cls(counted)

    def since(self, before: Written) -> dict[str, int]:
        """Tables that have grown, and by how many rows."""
        grown = {table: count - before.rows.get(table, 0) for table, count in self.rows.items()}
        return {table: count for table, count in grown.items() if count > 0}


def make_twins(connection: Connection, tables: Iterable[str]) -> None:
    """Make an empty twin of each table in the schema `floor`: same columns, defaults, indexes, partitions."""
    _run(connection, "drop schema if exists floor cascade; create schema floor")
    for table in tables:
        _make(connection, table, _twin(table), *_column(connection, _PARTED, table))
        for part, name, bound in _rows(connection, _PARTS, table):
            twin = sql.Identifier("floor", name)
            _make(connection, part, twin)
            attach = sql.SQL("alter table {} attach partition {} ").format(_twin(table), twin)
            _run(connection, attach + sql.SQL(bound))


def copy_into_twins(connection: Connection, tables: Iterable[str]) -> None:
    """Copy each table's rows into its twin, each in a transaction of its own."""
    for table in tables:
        columns = sql.SQL(", ").join(map(sql.Identifier, _column(connection, _COLUMNS, table)))
        names = {"twin": _twin(table), "columns": columns, "table": _name(table)}
        _run(connection, sql.SQL(_COPY).format(**names))


def drop_twins(connection: Connection) -> None:
    """Remove what `make_twins` made."""
    _run(connection, "drop schema floor cascade")


def _make(connection: Connection, table: str, twin: sql.Identifier, parted: str | None = None) -> None:
    make = sql.SQL("create table {} (like {} including all)").format(twin, _name(table))
    _run(connection, make + sql.SQL(f" partition by {parted}") if parted else make)


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _twin(table: str) -> sql.Identifier:
    return sql.Identifier("floor", table.split(".")[1])


def _run(connection: Connection, statement: str | sql.Composed) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(connection: Connection, query: str | sql.Composed, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def _column(connection: Connection, query: str | sql.Composed, *values: Any) -> list[Any]:
    return [row[0] for row in _rows(connection, query, *values)]
