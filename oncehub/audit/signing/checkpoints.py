"""Signing the access log: what is committed is put in order, hashed, chained and signed, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import leaf_hash, line, moment, root_hash
from oncehub.audit.signing.anchors import AnchorPlace, anchor_place, read_anchors, write_anchors
from oncehub.audit.signing.keys import SigningKey, signing_key
from oncehub.audit.signing.purge_proofs import sign_proofs
from oncehub.audit.signing.statements import NO_CHECKPOINT, Statement, head
from oncehub.encryption.known_keys import known_key
from oncehub.errors import ConfigError, RunBusy, StoreNotAdopted
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import without_values
from oncehub.store.history import REMEDY
from oncehub.store.migrate import opened
from oncehub.traces import step

LINES: Final = 10_000
"""Lines in one checkpoint; the transaction of the last line is always completed."""

OVERDUE_SECONDS: Final = 900.0
"""Seconds that a line may wait for its checkpoint before signing counts as overdue."""

SIGNING: Final = "checkpoint"
"""The lock of those who sign, archive or adopt."""

_LAST: Final = "select number, statement, horizon::text from audit.checkpoint order by number desc limit 1"

# One snapshot for the lines and for the horizon below which no other line can be committed.
_NEXT: Final = """
select hub.transaction_horizon()::text as horizon, clock_timestamp() as signed_at,
    (
        select array_agg(to_checkpoint)
        from (
            select entry_id from audit.entry
            where transaction >= %(after)s::xid8 and transaction < (select hub.transaction_horizon())
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

_HEADS: Final = "select number, statement from audit.checkpoint where number > %s order by number"

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
        proofs: of purges that were signed.
    """

    checkpoints: int
    lines: int
    last: int
    head: str
    unsigned_seconds: float
    proofs: int


@dataclass(frozen=True)
class LastCheckpoint:
    """The newest checkpoint: number, hash of its statement, and the horizon below which all is signed.

    Before the first one, the number is 0.
    """

    number: int
    head: str
    horizon: str


def write_checkpoints(
    settings: Settings,
    database: Connection | None = None,
    *,
    anchor_anew: bool = False,
    new_key: bool = False,
) -> CheckpointReport:
    """Sign every line that no open transaction can precede, and anchor the heads; a repeat signs nothing.

    Proofs of purges are signed, too: nothing else has the key.

    Each checkpoint is a transaction, and anchored before the next one; one that a kill left unanchored is
    anchored by the next signing.

    Args:
        settings: name the database, the login that signs, the key and the file of anchors.
        database: used instead of a connection of its own.
        anchor_anew: anchor all checkpoints that the anchors lack: their file was lost.
        new_key: accept another signing key than the known one; verifiers must trust it, too.

    Raises:
        RunBusy: when another process signs.
        KeyMissing: when the signing key is not there, or is another one.
        ConfigError: when the key is malformed, the anchor cannot be written, is of another log, or lacks
            checkpoints that were anchored.
        StoreNotAdopted: when the anchors are ahead of the database: it is in an earlier state.
        StoreError: when the database cannot be used.
    """
    place = anchor_place(settings)
    with (
        without_values("signing the access log"),
        step("sign"),
        opened(_as_signer(settings), database) as connection,
        locked(connection, SIGNING) as alone,
    ):
        if not alone:
            raise RunBusy("another process signs the access log")
        with connection, connection.cursor() as cursor:
            known_key(cursor, "signing", settings.home, replace=new_key)
        key = signing_key(settings.home)
        heads = read_anchors(place).heads
        if not anchor_anew:
            _require_anchored(connection, place, heads)
        anchored = anchor_after(connection, place, max(heads, default=0))
        signed: list[int] = []
        while lines := sign_batch(connection, key):
            signed.append(lines)
            anchored = anchor_after(connection, place, anchored)
        proofs = sign_proofs(connection, key)
        with connection:
            last = last_checkpoint(connection)
        return CheckpointReport(
            len(signed), sum(signed), last.number, last.head, unsigned_seconds(connection), proofs
        )


def _as_signer(settings: Settings) -> Settings:
    """Return settings whose database is reached by the login that signs, where one is set."""
    return replace(settings, database_url=settings.signing_database_url or settings.database_url)


def sign_batch(connection: Connection, key: SigningKey, lines: int = LINES) -> int:
    """Sign the next batch in a transaction of its own; return how many lines, 0 when none is ready."""
    with connection:
        last = last_checkpoint(connection)
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
    with locked(connection, SIGNING) as alone:
        if not alone:
            raise RunBusy("another process signs or exports the access log; try again in a minute")
        with connection:
            number = last_checkpoint(connection).number
        yield number


def unsigned_seconds(connection: Connection) -> float:
    """Return the age of the oldest line without a checkpoint; 0 when there is none."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_LAG)
        oldest, now = cursor.fetchone() or (None, None)
    return (now - oldest).total_seconds() if oldest and now else 0.0


def _signed(
    last: LastCheckpoint,
    rows: Sequence[Mapping[str, Any]],
    horizon: str,
    signed_at: datetime,
    key: SigningKey,
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


def last_checkpoint(connection: Connection) -> LastCheckpoint:
    """Return the newest checkpoint within the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        row = cursor.fetchone()
    return LastCheckpoint(row[0], head(row[1]), row[2]) if row else LastCheckpoint(0, NO_CHECKPOINT, "0")


def anchor_after(connection: Connection, place: AnchorPlace, anchored: int) -> int:
    """Anchor the checkpoints above number `anchored`, the last that is anchored; return the last one now."""
    heads = _heads(connection, anchored)
    if heads:
        write_anchors(place, heads)
    return max(heads, default=anchored)


def _require_anchored(connection: Connection, place: AnchorPlace, heads: Mapping[int, str]) -> None:
    """Check that the anchors end with the database's last checkpoint or, after a kill, the one before."""
    anchored = max(heads, default=0)
    made = _heads(connection, max(anchored - 1, 0))
    last = max(made, default=0)
    if anchored > last:
        raise StoreNotAdopted(
            f"checkpoint {anchored} of the access log is anchored in {place}, and the database ends before "
            f"it: it is in an earlier state, or not the hub's own; {REMEDY}"
        )
    if anchored and made[anchored] != heads[anchored]:
        raise ConfigError(
            f"{place}: its checkpoint {anchored} is not that of the database: it is of another log, or the "
            "log was replaced; see `oncehub audit verify`, and name the right file with ONCEHUB_AUDIT_ANCHOR"
        )
    if last - anchored > 1:
        raise ConfigError(
            f"{place}: lacks checkpoints {anchored + 1} to {last}, which were anchored: the file was lost, "
            "shortened or is an earlier copy; put it back. If it cannot be, compare the log with its "
            "archives (oncehub audit verify --archive), then run: oncehub audit checkpoint --anchor-anew"
        )


def _heads(connection: Connection, after: int) -> dict[int, str]:
    with connection, connection.cursor() as cursor:
        cursor.execute(_HEADS, (after,))
        return {number: head(signed) for number, signed in cursor.fetchall()}
