"""Compares every table of two hubs: each row of each table, but for what `allowed` names."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

import orjson
from psycopg2 import sql

from oncehub.store.connection import Connection, Cursor
from torture.allowed import TABLES, Instead, instead_of

_COLUMNS: Final = """
select n.nspname || '.' || c.relname, n.nspname, c.relname, array_agg(a.attname order by a.attnum),
    array_agg(a.attname order by a.attnum) filter (where a.attnum = any (i.indkey))
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_|^information_schema$'
group by 1, 2, 3
order by 1
"""

# The entries of feeds and notices are numbered without a gap.
_GAPS: Final = """
select 'share.feed_entry', feed from share.feed_entry join share.feed using (feed)
group by feed, last_sequence having count(*) <> last_sequence or max(sequence) <> last_sequence
union all
select 'share.notice', source from share.notice join share.correction_feed using (source)
group by source, last_sequence having count(*) <> last_sequence or max(sequence) <> last_sequence
"""

_OPEN: Final = {"source", "stream", "feed", "kind", "attribute", "person_key", "subject", "scheme", "name"}
"""Columns of keys that are shown; others may be numbers of people, so a digest stands for them."""

_SHOWN: Final = 3


@dataclass(frozen=True)
class Difference:
    """Rows of one table that only one of the hubs has."""

    table: str
    rows: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}: {self.rows} rows differ, e.g. {'; '.join(self.examples)}"


class Compared(Protocol):
    """A hub whose tables are compared."""

    def connect(self) -> Connection:
        """Open a connection with the hub's own rights."""


def differences(
    killed: Compared,
    twin: Compared,
    unanswered: frozenset[str] = frozenset(),
    more: Mapping[str, Instead] = MappingProxyType({}),
) -> Iterator[Difference]:
    """Compare all tables.

    Args:
        killed: the hub that is examined.
        twin: the hub that shows what is right.
        unanswered: requests whose line of the log only the killed hub has.
        more: what is compared instead of further tables.
    """
    instead = {**TABLES, **more}
    with (
        closing(killed.connect()) as left,
        closing(twin.connect()) as right,
        left.cursor() as one,
        right.cursor() as other,
    ):
        tables, others = _tables(one), _tables(other)
        for name in sorted({*tables, *others}):
            if name not in tables or name not in others:
                yield Difference(name, 1, ("only one hub has the table",))
                continue
            query = _query(*tables[name][:3], instead.get(name))
            rows = _rows(one, query, unanswered), _rows(other, query, unanswered)
            if found := _difference(name, tables[name][3], *rows):
                yield found
        for cursor in (one, other):
            cursor.execute(_GAPS)
            for table, sequence in cursor.fetchall():
                yield Difference(table, 1, (f"the sequence of {sequence} has a gap",))


def _tables(cursor: Cursor) -> dict[str, tuple[str, str, list[str], list[str]]]:
    cursor.execute(_COLUMNS)
    return {name: (schema, table, columns, key or columns) for name, schema, table, columns, key in cursor}


def _query(schema: str, table: str, columns: list[str], instead: Instead | None) -> sql.Composable:
    if instead:
        return sql.SQL(instead.compared)
    query: sql.Composable = sql.SQL("select {} from {} t").format(
        sql.SQL(", ").join(_column(schema, table, column) for column in columns),
        sql.Identifier(schema, table),
    )
    if (schema, table) == ("audit", "entry"):
        query += sql.SQL(" where request_id::text <> all (%(unanswered)s)")
    return query


def _rows(cursor: Cursor, query: sql.Composable, unanswered: frozenset[str]) -> Counter[str]:
    cursor.execute(
        sql.SQL("select to_jsonb(r)::text from ({}) r").format(query), {"unanswered": sorted(unanswered)}
    )
    return Counter(row for (row,) in cursor)


def _column(schema: str, table: str, column: str) -> sql.Composable:
    instead = instead_of(schema, table, column)
    shown = sql.SQL(instead.compared) if instead else sql.Identifier("t", column)
    return sql.SQL("{} as {}").format(shown, sql.Identifier(column))


def _difference(table: str, key: list[str], killed: Counter[str], twin: Counter[str]) -> Difference | None:
    sides = {"killed": killed - twin, "twin": twin - killed}
    rows = sum(each.total() for each in sides.values())
    if not rows:
        return None
    named = {side: {_named(row, key): row for row in map(orjson.loads, only)} for side, only in sides.items()}
    examples = []
    for name in sorted({*named["killed"], *named["twin"]})[:_SHOWN]:
        one, other = (named[side].get(name) for side in named)
        if one and other:
            columns = sorted(column for column in one if one[column] != other.get(column))
            examples.append(f"{name} in {', '.join(columns) or 'number'}")
        else:
            examples.append(f"{name} only in the {'killed' if one else 'twin'}")
    return Difference(table, rows, tuple(examples))


def _named(row: Mapping[str, Any], key: list[str]) -> str:
    """Name a row by its key; what could be a person's number is shown as a digest."""
    columns = [name for name in key if name in row] or [name for name in row if name in _OPEN]
    return " ".join(f"{name}={row[name] if name in _OPEN else '#' + _digest(row[name])}" for name in columns)


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value)).hexdigest()[:8]
