"""The tree of the access log as the database keeps it: its entries, its hashes and its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import leaf_hash, line
from oncehub.audit.tlog.notes import Checkpoint, Note, NotGenuine
from oncehub.audit.tlog.proofs import commitment
from oncehub.audit.tlog.tree import EMPTY_ROOT, pieces
from oncehub.errors import StoreError
from oncehub.store.connection import Connection

_LAST: Final = "select number, note, horizon::text from audit.checkpoint order by number desc limit 1"

_COMMITMENTS: Final = """
select substr(commitments,
    1 + 32 * greatest(%(start)s - first, 0)::integer,
    32 * (least(size, %(stop)s) - greatest(first, %(start)s))::integer)
from (
    select size, size - length(commitments) / 32 as first, commitments
    from audit.checkpoint
    where size > %(start)s
        and size <= (select min(size) from audit.checkpoint where size >= %(stop)s)
) batch
order by size
"""

_LINES: Final = """
select leaf.index as leaf_index, leaf.entry_id as leaf_entry, leaf.salt as leaf_salt, entry.*
from audit.leaf left join audit.entry using (entry_id)
where leaf.index >= %s and leaf.index < %s
order by leaf.index
"""

_SUBTREES: Final = """
select hash from audit.subtree
where level = %s and index >= %s and index < %s
order by index
"""


@dataclass(frozen=True)
class LastCheckpoint:
    """The newest checkpoint; before the first one, the number is 0.

    Attributes:
        number: checkpoints are counted from 1 without gaps.
        checkpoint: what its note says.
        note: as signed; None before the first.
        horizon: all lines of transactions below it are signed.
    """

    number: int
    checkpoint: Checkpoint
    note: Note | None
    horizon: str


class StoredHashes:
    """The hashes of the tree within the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hashes(self, level: int, start: int, stop: int) -> Sequence[bytes]:
        """Return the hashes of a level with the indexes from `start` up to `stop`; see `tree.Hashes`.

        Raises:
            LookupError: when one of them is missing.
        """
        if level == 0:
            return [leaf_hash(each) for each in self.commitments(start, stop)]
        with self._connection.cursor() as cursor:
            cursor.execute(_SUBTREES, (level, start, stop))
            found = [bytes(each) for (each,) in cursor.fetchall()]
        return _whole(found, level, start, stop)

    def commitments(self, start: int, stop: int) -> list[bytes]:
        """Return the entries with the indexes from `start` up to `stop`.

        Raises:
            LookupError: when one of them is missing.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(_COMMITMENTS, {"start": start, "stop": stop})
            found = [piece for (part,) in cursor.fetchall() for piece in pieces(bytes(part))]
        return _whole(found, 0, start, stop)


@dataclass(frozen=True)
class FoundLine:
    """A line where the tree has an entry.

    Attributes:
        index: of the entry, from 0.
        entry_id: its number in the log; None where it has none.
        text: its bytes; None when it is gone.
        salt: of its commitment.
    """

    index: int
    entry_id: int | None
    text: bytes | None
    salt: bytes

    @property
    def commitment(self) -> bytes | None:
        """What it should be the opening of."""
        return None if self.text is None else commitment(self.salt, self.text)


def stored_lines(connection: Connection, start: int, stop: int) -> list[FoundLine]:
    """Return the lines of the entries with the indexes from `start` up to `stop` that have salts."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LINES, (start, stop))
        return [_found(dict(row)) for row in cursor.fetchall()]


def _found(row: dict[str, Any]) -> FoundLine:
    index, entry_id, salt = row.pop("leaf_index"), row.pop("leaf_entry"), bytes(row.pop("leaf_salt"))
    return FoundLine(index, entry_id, line(row) if row["entry_id"] is not None else None, salt)


def last_checkpoint(connection: Connection) -> LastCheckpoint:
    """Return the newest checkpoint within the caller's transaction.

    Raises:
        StoreError: when its note is none: it was altered.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        row = cursor.fetchone()
    if row is None:
        return LastCheckpoint(0, Checkpoint("", 0, EMPTY_ROOT), None, "0")
    try:
        note = Note.parse(row[1])
        return LastCheckpoint(row[0], Checkpoint.parse(note.text), note, row[2])
    except NotGenuine as error:
        raise StoreError(
            f"checkpoint {row[0]} of the access log {error}; see: oncehub audit verify"
        ) from None


def _whole(found: list[bytes], level: int, start: int, stop: int) -> list[bytes]:
    if len(found) != stop - start:
        raise LookupError(f"the tree lacks hashes of level {level} between {start} and {stop}")
    return found
