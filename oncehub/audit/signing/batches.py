"""A signed batch as found in the database or in an archive, not yet verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import HASH_BYTES, MOMENT, leaf_hash, line
from oncehub.store.connection import Connection

_CHECKPOINTS: Final = """
select number, entries, leaves, statement, horizon::text
from audit.checkpoint
where number > %s
order by number
"""

_LINES: Final = """
select position, signed.entry_id as signed_id, entry.*
from unnest(%s) with ordinality as signed (entry_id, position) left join audit.entry using (entry_id)
order by position
"""


@dataclass(frozen=True)
class FoundLine:
    """A line where a checkpoint has one.

    Attributes:
        entry_id: its number in the log; None where it has none.
        at: its moment; None where it has none.
        hash: None when the line is gone.
        adoption: of an entry about an adoption of the database, when, by whom and why.
    """

    entry_id: int | None
    at: datetime | None
    hash: bytes | None
    adoption: str | None = None


@dataclass(frozen=True)
class FoundBatch:
    """A checkpoint and its lines, as found.

    Attributes:
        number: by its place or name.
        statement: the signed statement.
        leaves: the hashes that are kept with it, of its lines in their order.
        lines: what is there.
        horizon: as kept beside the statement; None where it is not.
        problems: why parts of it cannot be read.
    """

    number: int
    statement: str
    leaves: list[bytes]
    lines: list[FoundLine]
    horizon: str | None = None
    problems: tuple[str, ...] = ()


def batches_in_database(connection: Connection, after: int = 0) -> Iterator[FoundBatch]:
    """Yield the checkpoints above a number in their order, each with its lines; holds one batch at a time.

    Needs the hub's own role: the API's may not read the log.
    """
    number = after
    while batch := _next_batch(connection, number):
        number = batch.number
        yield batch


def found_line(text: bytes) -> FoundLine:
    """Return a line of an archive as found; bytes that are no line have only a hash."""
    try:
        content = orjson.loads(text)
    except ValueError:
        content = None
    content = content if isinstance(content, dict) else {}
    entry_id = content.get("entry_id")
    adoption = None
    if content.get("action") == "adoption":
        adoption = "{at} by {officer}: {purpose}".format_map(
            {"at": "-", "officer": "-", "purpose": "-"} | content
        )
    return FoundLine(
        entry_id if isinstance(entry_id, int) else None, _moment(content.get("at")), leaf_hash(text), adoption
    )


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.strptime(text, MOMENT).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return None


def _next_batch(connection: Connection, after: int) -> FoundBatch | None:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_CHECKPOINTS + " limit 1", (after,))
        checkpoint = cursor.fetchone()
        if checkpoint is None:
            return None
        cursor.execute(_LINES, (checkpoint["entries"],))
        lines = [_line_in_database(dict(row)) for row in cursor.fetchall()]
    kept = bytes(checkpoint["leaves"])
    leaves = [kept[start : start + HASH_BYTES] for start in range(0, len(kept), HASH_BYTES)]
    return FoundBatch(checkpoint["number"], checkpoint["statement"], leaves, lines, checkpoint["horizon"])


def _line_in_database(row: dict[str, Any]) -> FoundLine:
    signed_id = row.pop("signed_id")
    del row["position"]
    if row["entry_id"] is None:
        return FoundLine(signed_id, None, None)
    return found_line(line(row))
