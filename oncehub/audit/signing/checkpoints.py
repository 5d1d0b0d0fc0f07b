"""Sealing the access log: what is committed is put in order, hashed, chained and signed, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg2.extras import RealDictCursor

from oncehub.audit.log.lines import line, moment
from oncehub.audit.signing.anchors import anchor_path, read_anchors, write_anchors
from oncehub.audit.signing.keys import SealKey, seal_key
from oncehub.audit.signing.merkle import leaf_hash, root_hash
from oncehub.audit.signing.statements import NO_SEAL, Statement, head
from oncehub.errors import RunBusy
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

LINES: Final = 10_000
"""Into one seal go so many lines, and those of the last one's transaction."""

OVERDUE_SECONDS: Final = 900.0
"""A line that has waited longer for its seal tells that sealing has fallen behind."""

_LAST: Final = "select number, statement, horizon::text from audit.seal order by number desc limit 1"

# One snapshot for the lines and for what can precede them no more.
_NEXT: Final = """
select pg_snapshot_xmin(pg_current_snapshot())::text as horizon, clock_timestamp() as sealed_at,
    (
        select array_agg(to_seal)
        from (
            select entry_id from audit.entry
            where transaction >= %(after)s::xid8 and transaction < pg_snapshot_xmin(pg_current_snapshot())
            order by transaction
            fetch first %(lines)s rows with ties
        ) as taken (to_seal)
    ) as taken
"""

_LINES: Final = "select * from audit.entry where entry_id = any(%s) order by transaction, entry_id"

_WRITE: Final = """
insert into audit.seal (number, entries, leaves, statement, horizon, sealed_at)
values (%(number)s, %(entries)s, %(leaves)s, %(statement)s, %(horizon)s::xid8, %(sealed_at)s)
"""

_UNANCHORED: Final = "select number, statement from audit.seal where number > %s order by number"

_LAG: Final = "select audit.oldest_unsealed(), clock_timestamp()"


@dataclass(frozen=True)
class SealReport:
    """What one sealing did.

    Attributes:
        seals: batches sealed.
        lines: lines in them.
        last: number of the newest seal; 0 when there is none.
        head: what the anchor holds of it.
        unsealed_seconds: age of the oldest line that is left, which an open transaction may precede; 0 when
            none is.
    """

    seals: int
    lines: int
    last: int
    head: str
    unsealed_seconds: float


@dataclass(frozen=True)
class _Last:
    number: int
    head: str
    horizon: str


def seal(settings: Settings, database: Connection | None = None) -> SealReport:
    """Seal every line that no open transaction can precede, and anchor the heads; a repeat seals nothing.

    Each seal is a transaction; one that a kill left unanchored is anchored by the next sealing.

    Raises:
        RunBusy: when another process seals.
        ConfigError: when the key is wrong, or the anchor cannot be written.
        StoreError: when the database cannot be used.
    """
    key = seal_key(settings.home)
    with (
        without_values("sealing the access log"),
        opened(settings, database) as connection,
        locked(connection, "seal") as alone,
    ):
        if not alone:
            raise RunBusy("another process seals the access log")
        sealed: list[int] = []
        while lines := seal_batch(connection, key):
            sealed.append(lines)
        _anchor(settings, connection)
        with connection:
            last = _last(connection)
        return SealReport(len(sealed), sum(sealed), last.number, last.head, unsealed_seconds(connection))


def seal_batch(connection: Connection, key: SealKey, lines: int = LINES) -> int:
    """Seal the next batch in a transaction of its own; return how many lines, 0 when none is ready."""
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
            cursor.execute(_WRITE, _sealed(last, rows, horizon, taken["sealed_at"], key))
    return len(rows)


def unsealed_seconds(connection: Connection) -> float:
    """Tell how old the oldest line is that no seal holds; 0 when there is none."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_LAG)
        oldest, now = cursor.fetchone() or (None, None)
    return (now - oldest).total_seconds() if oldest and now else 0.0


def _sealed(
    last: _Last, rows: Sequence[Mapping[str, Any]], horizon: str, sealed_at: datetime, key: SealKey
) -> dict[str, Any]:
    leaves = [leaf_hash(line(row)) for row in rows]
    statement = Statement(
        number=last.number + 1,
        previous=last.head,
        root=root_hash(leaves).hex(),
        lines=len(leaves),
        horizon=horizon,
        sealed_at=moment(sealed_at),
    )
    return {
        "number": statement.number,
        "entries": [row["entry_id"] for row in rows],
        "leaves": b"".join(leaves),
        "statement": statement.sign(key),
        "horizon": horizon,
        "sealed_at": sealed_at,
    }


def _last(connection: Connection) -> _Last:
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        row = cursor.fetchone()
    return _Last(row[0], head(row[1]), row[2]) if row else _Last(0, NO_SEAL, "0")


def _anchor(settings: Settings, connection: Connection) -> None:
    path = anchor_path(settings)
    anchored = max(read_anchors(path).heads, default=0)
    with connection, connection.cursor() as cursor:
        cursor.execute(_UNANCHORED, (anchored,))
        heads = {number: head(signed) for number, signed in cursor.fetchall()}
    if heads:
        write_anchors(path, heads)
