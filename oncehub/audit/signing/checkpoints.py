"""Signing the access log: what is committed is put in order, hashed, chained and signed, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import leaf_hash, line, moment, root_hash
from oncehub.audit.signing.anchors import anchor_path, read_anchors, write_anchors
from oncehub.audit.signing.keys import SigningKey, signing_key
from oncehub.audit.signing.statements import NO_CHECKPOINT, Statement, head
from oncehub.errors import RunBusy
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

LINES: Final = 10_000
"""Lines in one checkpoint; the transaction of the last line is always completed."""

OVERDUE_SECONDS: Final = 900.0
"""Seconds that a line may wait for its checkpoint before signing counts as overdue."""

_LOCK: Final = "checkpoint"

_LAST: Final = "select number, statement, horizon::text from audit.checkpoint order by number desc limit 1"

# One snapshot for the lines and for the horizon below which no other line can be committed.
_NEXT: Final = """
select pg_snapshot_xmin(pg_current_snapshot())::text as horizon, clock_timestamp() as signed_at,
    (
        select array_agg(to_checkpoint)
        from (
            select entry_id from audit.entry
            where transaction >= %(after)s::xid8 and transaction < pg_snapshot_xmin(pg_current_snapshot())
            order by transaction
            fetch first %(lines)s rows with ties
        ) as taken (to_checkpoint)
    ) as taken
"""

_LINES: Final = "select * from audit.entry where entry_id = any(%s) order by transaction, entry_id"

_WRITE: Final = """
insert into audit.checkpoint (number, entries, leaves, statement, horizon, signed_at)
values (%(number)s, %(entries)s, %(leaves)s, %(statement)s, %(horizon)s::xid8, %(signed_at)s)
"""

_UNANCHORED: Final = "select number, statement from audit.checkpoint where number > %s order by number"

_LAG: Final = "select audit.oldest_unsigned(), clock_timestamp()"


@dataclass(frozen=True)
class CheckpointReport:
    """What one run of signing did.

    Attributes:
        checkpoints: batches signed.
        lines: lines in them.
        last: number of the newest checkpoint; 0 when there is none.
        head: its hash, as anchored.
        unsigned_seconds: age of the oldest line that still waits for an open transaction; 0 when none does.
    """

    checkpoints: int
    lines: int
    last: int
    head: str
    unsigned_seconds: float


@dataclass(frozen=True)
class _Last:
    number: int
    head: str
    horizon: str


def write_checkpoints(settings: Settings, database: Connection | None = None) -> CheckpointReport:
    """Sign every line that no open transaction can precede, and anchor the heads; a repeat signs nothing.

    Each checkpoint is a transaction; one that a kill left unanchored is anchored by the next signing.

    Raises:
        RunBusy: when another process signs.
        ConfigError: when the key is wrong, or the anchor cannot be written.
        StoreError: when the database cannot be used.
    """
    key = signing_key(settings.home)
    with (
        without_values("signing the access log"),
        opened(settings, database) as connection,
        locked(connection, _LOCK) as alone,
    ):
        if not alone:
            raise RunBusy("another process signs the access log")
        signed: list[int] = []
        while lines := sign_batch(connection, key):
            signed.append(lines)
        _anchor(settings, connection)
        with connection:
            last = _last(connection)
        return CheckpointReport(
            len(signed), sum(signed), last.number, last.head, unsigned_seconds(connection)
        )


def sign_batch(connection: Connection, key: SigningKey, lines: int = LINES) -> int:
    """Sign the next batch in a transaction of its own; return how many lines, 0 when none is ready."""
    with connection:
        last = _last(connection)
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_NEXT, {"after": last.horizon, "lines": lines})
            taken = dict(cursor.fetchone() or {"taken": None})
            if not taken["taken"]:
                return 0
            cursor.execute(_LINES, (taken["taken"],))
            rows = cursor.fetchall()
            full = len(rows) >= lines
            horizon = str(int(rows[-1]["transaction"]) + 1) if full else taken["horizon"]
            cursor.execute(_WRITE, _signed(last, rows, horizon, taken["signed_at"], key))
    return len(rows)


@contextmanager
def between_signings(connection: Connection) -> Iterator[int]:
    """Give the number of the last checkpoint, and let no process sign meanwhile.

    Raises:
        RunBusy: when one is signing.
    """
    with locked(connection, _LOCK) as alone:
        if not alone:
            raise RunBusy("another process signs or exports the access log; try again in a minute")
        with connection:
            number = _last(connection).number
        yield number


def unsigned_seconds(connection: Connection) -> float:
    """Return the age of the oldest line without a checkpoint; 0 when there is none."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_LAG)
        oldest, now = cursor.fetchone() or (None, None)
    return (now - oldest).total_seconds() if oldest and now else 0.0


def _signed(
    last: _Last, rows: Sequence[Mapping[str, Any]], horizon: str, signed_at: datetime, key: SigningKey
) -> dict[str, Any]:
    leaves = [leaf_hash(line(row)) for row in rows]
    statement = Statement(
        number=last.number + 1,
        previous=last.head,
        root=root_hash(leaves).hex(),
        lines=len(leaves),
        horizon=horizon,
        signed_at=moment(signed_at),
    )
    return {
        "number": statement.number,
        "entries": [row["entry_id"] for row in rows],
        "leaves": b"".join(leaves),
        "statement": statement.sign(key),
        "horizon": horizon,
        "signed_at": signed_at,
    }


def _last(connection: Connection) -> _Last:
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        row = cursor.fetchone()
    return _Last(row[0], head(row[1]), row[2]) if row else _Last(0, NO_CHECKPOINT, "0")


def _anchor(settings: Settings, connection: Connection) -> None:
    path = anchor_path(settings)
    anchored = max(read_anchors(path).heads, default=0)
    with connection, connection.cursor() as cursor:
        cursor.execute(_UNANCHORED, (anchored,))
        heads = {number: head(signed) for number, signed in cursor.fetchall()}
    if heads:
        write_anchors(path, heads)
