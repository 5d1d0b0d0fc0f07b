"""Keeping the database's plans right whether a hundred records changed or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2 import sql

from oncehub.reconcile.shards import Part
from oncehub.store.connection import Cursor

_LARGE_SHARE = 0.02

# A partition that was never analysed has -1 rows here.
_KNOWN = """
select coalesce(sum(greatest(reltuples, 0)), 0), coalesce(bool_or(reltuples < 0), true)
from pg_inherits join pg_class on pg_class.oid = inhrelid
where inhparent = 'record.person'::regclass
"""

_GROWN = "select %s > 0.1 * greatest(reltuples, 0) from pg_class where oid = to_regclass(%s)"

# By name, as record.attach_source goes: each keeps its locks to the end, and neither must wait for the other.
_RECORDS = """
analyze record.former_identifier (source, stream, source_key);
analyze record.person (source, stream, source_key, personal_id, national_id_9, tax_code);
"""


@dataclass(frozen=True)
class Scale:
    """Whether so much changed that reading whole tables is cheaper than looking records up.

    A large run fills tables that the planner knows nothing about yet. It would take them for small, and
    nested loops over them for cheap: so large runs tell it what they filled, and go without such loops.
    A small run must not read whole tables, which the planner likes to do up to some hundred thousand rows.

    Attributes:
        changed: how many records, or people, it is about.
        large: whether that is so much.
    """

    changed: int
    large: bool

    def filled(self, cursor: Cursor, *tables: str) -> None:
        """Tell the planner about `truth` tables that this run has just written."""
        if self.large:
            for table in tables:
                cursor.execute(sql.SQL("analyze {}").format(sql.Identifier("truth", table)))

    @contextmanager
    def looking_up(self, cursor: Cursor) -> Iterator[None]:
        """Let a few of many rows be looked up, one by one, in a large run too."""
        if self.large:
            cursor.execute("set local enable_nestloop = on; set local random_page_cost = 1.1")
        yield
        if self.large:
            cursor.execute("set local enable_nestloop = off; set local random_page_cost to default")


def analyze_grown(cursor: Cursor, rows: int, first: str, *others: str) -> None:
    """Tell the planner of work tables to which so many rows were added, unless it knows of ten times as many.

    All of them are told of when the first has grown.
    """
    cursor.execute(_GROWN, (rows, first))
    if cursor.fetchone() == (True,):
        for table in (first, *others):
            cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))


@contextmanager
def indexed_afterwards(cursor: Cursor, index: str, *, when: bool) -> Iterator[None]:
    """Build an index from all that its table then holds, instead of row by row as it is written.

    Args:
        cursor: of a transaction that has locked the table.
        index: name of an index of a `truth` table.
        when: whether to; else nothing happens.
    """
    if not when:
        yield
        return
    named = sql.Identifier("truth", index)
    cursor.execute("select pg_get_indexdef(%s::regclass)", (named.as_string(cursor),))
    (definition,) = cursor.fetchone() or (None,)
    cursor.execute(sql.SQL("drop index {}").format(named))
    yield
    cursor.execute("set local maintenance_work_mem = '256MB'")
    cursor.execute(definition)


def scale_of_records(cursor: Cursor) -> Scale:
    """Weigh `dirty_record` against all records, and set the transaction up for it."""
    scale = _prepared(cursor, "dirty_record")
    if scale.large:
        cursor.execute(_RECORDS)
    return scale


def scale_of_people(cursor: Cursor, part: Part) -> Scale:
    """Weigh the `touched_person` of a part against that part's share of all records."""
    return _prepared(cursor, "touched_person", part.of)


def _prepared(cursor: Cursor, changed: str, shares: int = 1) -> Scale:
    cursor.execute(_KNOWN)
    known, unsure = cursor.fetchone() or (0, True)
    cursor.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(changed)))
    (count,) = cursor.fetchone() or (0,)
    scale = Scale(count, large=bool(count and (unsure or count * shares > _LARGE_SHARE * known)))
    if scale.large:
        cursor.execute("set local enable_nestloop = off; set local work_mem = '512MB'")
    else:
        cursor.execute(
            "set local enable_seqscan = off; set local random_page_cost = 1.1; set local work_mem = '64MB'"
        )
    return scale
