"""Planner hints: plans that are right whether a hundred records changed or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2 import sql

from oncehub.reconcile.shards import Shard
from oncehub.store.connection import Cursor

_LARGE_SHARE = 0.02

# reltuples is -1 for a partition that was never analysed.
_KNOWN = """
select coalesce(sum(greatest(reltuples, 0)), 0), coalesce(bool_or(reltuples < 0), true)
from pg_inherits join pg_class on pg_class.oid = inhrelid
where inhparent = 'record.person'::regclass
"""

_GROWN = "select %s > 0.1 * greatest(reltuples, 0) from pg_class where oid = to_regclass(%s)"

# In alphabetical order, as record.attach_source locks them: otherwise each could wait for the other.
_RECORDS = """
analyze record.former_identifier (source, stream, source_key);
analyze record.person (source, stream, source_key, personal_id, national_id_9, tax_code);
"""


@dataclass(frozen=True)
class PlannerHints:
    """Whether a run is large: whether reading whole tables costs less than looking records up.

    A large run fills tables that the planner has no statistics of. It would take them for small, and nested
    loops over them for cheap; so a large run analyses what it has filled and disables such loops. A small run
    must not read whole tables, which the planner prefers up to some hundred thousand rows.

    Attributes:
        changed: number of records, or people, that the run changes.
        large: whether these are many.
    """

    changed: int
    large: bool

    def filled(self, cursor: Cursor, *tables: str) -> None:
        """In a large run, analyse `truth` tables that it has just written."""
        if self.large:
            for table in tables:
                cursor.execute(sql.SQL("analyze {}").format(sql.Identifier("truth", table)))

    @contextmanager
    def looking_up(self, cursor: Cursor) -> Iterator[None]:
        """In a large run, allow nested loops, for statements that look up few of many rows."""
        if self.large:
            cursor.execute("set local enable_nestloop = on; set local random_page_cost = 1.1")
        yield
        if self.large:
            cursor.execute("set local enable_nestloop = off; set local random_page_cost to default")


def analyze_grown(cursor: Cursor, rows: int, first: str, *others: str) -> None:
    """Analyse temporary tables when the rows added to the first exceed a tenth of its last estimate."""
    cursor.execute(_GROWN, (rows, first))
    if cursor.fetchone() == (True,):
        for table in (first, *others):
            cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))


@contextmanager
def indexed_afterwards(cursor: Cursor, index: str, *, when: bool) -> Iterator[None]:
    """Build an index at the end instead of row by row.

    Args:
        cursor: of a transaction that has locked the table.
        index: name of an index of a `truth` table.
        when: False does nothing.
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


def hints_for_records(cursor: Cursor) -> PlannerHints:
    """Compare `dirty_record` with all records, and set the transaction up for it."""
    hints = _prepared(cursor, "dirty_record")
    if hints.large:
        cursor.execute(_RECORDS)
    return hints


def hints_for_people(cursor: Cursor, shard: Shard) -> PlannerHints:
    """Compare the `touched_person` of a shard with its share of all records, and set the transaction up."""
    return _prepared(cursor, "touched_person", shard.of)


def _prepared(cursor: Cursor, changed: str, shares: int = 1) -> PlannerHints:
    cursor.execute(_KNOWN)
    known, unsure = cursor.fetchone() or (0, True)
    cursor.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(changed)))
    (count,) = cursor.fetchone() or (0,)
    hints = PlannerHints(count, large=bool(count and (unsure or count * shares > _LARGE_SHARE * known)))
    if hints.large:
        cursor.execute("set local enable_nestloop = off; set local work_mem = '512MB'")
    else:
        cursor.execute(
            "set local enable_seqscan = off; set local random_page_cost = 1.1; set local work_mem = '64MB'"
        )
    return hints
