"""Signing the access log: what is committed is put in order and added to one tree, whose state is signed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from psycopg2.extras import RealDictCursor, execute_values

from oncehub.audit.log.hashing import leaf_hash, line
from oncehub.audit.signing.anchors import AnchorPlace, Anchors, anchor_place, read_anchors, write_anchors
from oncehub.audit.signing.attestations import Attestors, attest, attestors
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.purge_proofs import sign_proofs
from oncehub.audit.signing.stored import LastCheckpoint, StoredHashes, last_checkpoint
from oncehub.audit.tlog.notes import Checkpoint, Note, NoteKey, NotGenuine
from oncehub.audit.tlog.proofs import SALT_BYTES, commitment
from oncehub.audit.tlog.tree import Edge, pieces
from oncehub.encryption.known_keys import known_key
from oncehub.errors import ConfigError, RunBusy, StoreError, StoreNotAdopted
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
"""The lock of those who sign, export or adopt."""

# One snapshot for the lines and for the horizon below which no other line can be committed.
_NEXT: Final = """
select array_agg(entry_id)
from (
    select entry_id from audit.entry
    where transaction >= %(after)s::xid8 and transaction < (select hub.transaction_horizon())
    order by transaction
    fetch first %(lines)s rows with ties
) as taken
"""

_LINES: Final = "select * from audit.entry where entry_id = any(%s) order by transaction, entry_id"

_WRITE: Final = """
insert into audit.checkpoint (number, size, commitments, note, horizon)
values (%(number)s, %(size)s, %(commitments)s, %(note)s, %(horizon)s::xid8)
"""

_WRITE_LEAVES: Final = """
insert into audit.leaf (index, entry_id, salt)
select %(first)s + place - 1, entry_id, substr(%(salts)s, 1 + 32 * (place::integer - 1), 32)
from unnest(%(entries)s) with ordinality as signed (entry_id, place)
"""

_WRITE_SUBTREES: Final = "insert into audit.subtree (level, index, hash) values %s"

_NOTES: Final = "select number, note from audit.checkpoint where number > %s order by number"

_LAG: Final = "select audit.oldest_unsigned(), clock_timestamp()"


@dataclass(frozen=True)
class CheckpointReport:
    """What one run of signing did.

    Attributes:
        checkpoints: batches signed.
        lines: lines in them.
        last: number of the newest checkpoint; 0 when there is none.
        size: entries of its tree.
        unsigned_seconds: age of the oldest line that still waits for an open transaction; 0 when none does.
        proofs: of purges that were signed.
        attested: witnesses and authorities that attest to the newest checkpoint, of those configured.
        lacking: why others of them do not.
    """

    checkpoints: int
    lines: int
    last: int
    size: int
    unsigned_seconds: float
    proofs: int
    attested: int = 0
    lacking: list[str] = field(default_factory=list)


def write_checkpoints(
    settings: Settings,
    database: Connection | None = None,
    *,
    anchor_anew: bool = False,
    new_key: bool = False,
) -> CheckpointReport:
    """Sign each line that no open transaction can precede, and anchor the checkpoints; a repeat signs none.

    Proofs of purges are signed, too: nothing else has the key.

    Each checkpoint is a transaction, and anchored before the next one; one that a kill left unanchored is
    anchored by the next signing. The last one is then given to the witnesses and the time-stamping authority
    that are configured: one that does not answer delays nothing, and is asked again by the next signing.

    Args:
        settings: name the database, the login that signs, the key, the log and the file of anchors.
        database: used instead of a connection of its own.
        anchor_anew: anchor all checkpoints that the anchors lack: their file was lost.
        new_key: accept another signing key than the known one; verifiers must trust it, too.

    Raises:
        RunBusy: when another process signs.
        KeyMissing: when the signing key is not there, or is another one.
        ConfigError: when the key is malformed, the anchor cannot be written, is of another log, or lacks
            checkpoints that were anchored; or when the log has another name than it was signed under.
        StoreNotAdopted: when the anchors are ahead of the database: it is in an earlier state.
        StoreError: when the database cannot be used, or its tree is not the one that was signed.
    """
    place, others = anchor_place(settings), attestors()
    with (
        without_values("signing the access log"),
        step("sign"),
        opened(_as_signer(settings), database) as connection,
    ):
        with locked(connection, SIGNING) as alone:
            if not alone:
                raise RunBusy("another process signs the access log")
            with connection, connection.cursor() as cursor:
                known_key(cursor, "signing", settings.home, replace=new_key)
            anchors = read_anchors(place)
            if not anchor_anew:
                _require_anchored(connection, place, anchors.heads)
            with connection:
                origin = _origin(settings.audit_origin, last_checkpoint(connection), anchors)
            signing = signing_key(settings.home)
            key = signing.named(origin)
            anchored = anchor_after(connection, place, max(anchors.heads, default=0))
            signed: list[int] = []
            while lines := sign_batch(connection, key):
                signed.append(lines)
                anchored = anchor_after(connection, place, anchored)
            proofs = sign_proofs(connection, signing)
        return _report(connection, signed, proofs, others)


def _report(
    connection: Connection, signed: Sequence[int], proofs: int, others: Attestors
) -> CheckpointReport:
    with connection:
        last = last_checkpoint(connection)
    attested, lacking = attest(connection, last, others)
    return CheckpointReport(
        len(signed),
        sum(signed),
        last.number,
        last.checkpoint.size,
        unsigned_seconds(connection),
        proofs,
        attested,
        lacking,
    )


def _as_signer(settings: Settings) -> Settings:
    """Return settings whose database is reached by the login that signs, where one is set."""
    return replace(settings, database_url=settings.signing_database_url or settings.database_url)


def _origin(configured: str, last: LastCheckpoint, anchors: Anchors) -> str:
    """Return the log's name in the next checkpoint.

    A database that lacks checkpoints which were given out continues the log otherwise than they did. No log
    may do that under one name, and no witness would cosign it: from then on it has the epoch in its name.

    Raises:
        ConfigError: when it was signed under another name than the configured one.
    """
    before = last.checkpoint.origin
    if last.number and before != configured and not before.startswith(f"{configured}/"):
        raise ConfigError(
            f"the log was signed as {before}, and ONCEHUB_AUDIT_ORIGIN names it {configured}; set it back: "
            "witnesses and verifiers know the log by its name"
        )
    if anchors.lost_in:
        return f"{configured}/{anchors.lost_in[:8]}"
    return before if last.number else configured


def sign_batch(connection: Connection, key: NoteKey, lines: int = LINES) -> int:
    """Sign the next batch in a transaction of its own; return how many lines, 0 when none is ready.

    It reads the new lines and at most 255 hashes of each level of the tree.

    Raises:
        StoreError: when the tree in the database is not the one that was signed last.
    """
    with connection:
        last = last_checkpoint(connection)
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_NEXT, {"after": last.horizon, "lines": lines})
            taken = dict(cursor.fetchone() or {})["array_agg"]
            if not taken:
                return 0
            cursor.execute(_LINES, (taken,))
            rows = cursor.fetchall()
            _add(connection, last, rows, key)
    return len(rows)


def _add(
    connection: Connection, last: LastCheckpoint, rows: Sequence[Mapping[str, Any]], key: NoteKey
) -> None:
    """Add lines to the tree, and sign it."""
    edge = _edge(connection, last)
    salts = secrets.token_bytes(SALT_BYTES * len(rows))
    commitments = [commitment(salt, line(row)) for salt, row in zip(pieces(salts), rows, strict=True)]
    completed = edge.extend(map(leaf_hash, commitments))
    note = Checkpoint(key.verifier.name, edge.size, edge.root()).sign(key)
    first = last.checkpoint.size
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "number": last.number + 1,
                "size": edge.size,
                "commitments": b"".join(commitments),
                "note": str(note),
                # All lines of the last transaction are among them.
                "horizon": str(int(rows[-1]["transaction"]) + 1),
            },
        )
        entries = [row["entry_id"] for row in rows]
        cursor.execute(_WRITE_LEAVES, {"first": first, "salts": salts, "entries": entries})
        if completed:
            execute_values(
                cursor, _WRITE_SUBTREES, [(each.level, each.index, each.hash) for each in completed]
            )


def _edge(connection: Connection, last: LastCheckpoint) -> Edge:
    """Return the edge of the tree that was signed last."""
    try:
        edge = Edge.read(StoredHashes(connection), last.checkpoint.size)
    except LookupError as error:
        raise StoreError(f"{error}: it was altered; see: oncehub audit verify") from None
    if edge.root() != last.checkpoint.root:
        raise StoreError(
            f"the tree of the access log is not the one of checkpoint {last.number}: it was altered, and "
            "nothing is signed after it; see: oncehub audit verify"
        )
    return edge


@contextmanager
def between_signings(connection: Connection) -> Iterator[int]:
    """Give the number of the last checkpoint, and let no process sign meanwhile.

    Raises:
        RunBusy: when one is signing.
    """
    with locked(connection, SIGNING) as alone:
        if not alone:
            raise RunBusy("another process signs or exports the access log; try again in a minute")
        yield max(_notes(connection, 0, only_last=True), default=0)


def unsigned_seconds(connection: Connection) -> float:
    """Return the age of the oldest line without a checkpoint; 0 when there is none."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_LAG)
        oldest, now = cursor.fetchone() or (None, None)
    return (now - oldest).total_seconds() if oldest and now else 0.0


def anchor_after(connection: Connection, place: AnchorPlace, anchored: int) -> int:
    """Anchor the checkpoints above number `anchored`, the last that is anchored; return the last one now."""
    notes = _notes(connection, anchored)
    if notes:
        write_anchors(place, notes)
    return max(notes, default=anchored)


def _require_anchored(connection: Connection, place: AnchorPlace, heads: Mapping[int, str]) -> None:
    """Check that the anchors end with the database's last checkpoint or, after a kill, the one before."""
    anchored = max(heads, default=0)
    made = _notes(connection, max(anchored - 1, 0))
    last = max(made, default=0)
    if anchored > last:
        raise StoreNotAdopted(
            f"checkpoint {anchored} of the access log is anchored in {place}, and the database ends before "
            f"it: it is in an earlier state, or not the hub's own; {REMEDY}"
        )
    if anchored and _text(made[anchored]) != heads[anchored]:
        raise ConfigError(
            f"{place}: its checkpoint {anchored} is not that of the database: it is of another log, or the "
            "log was replaced; see `oncehub audit verify`, and name the right file with ONCEHUB_AUDIT_ANCHOR"
        )
    if last - anchored > 1:
        raise ConfigError(
            f"{place}: lacks checkpoints {anchored + 1} to {last}, which were anchored: the file was lost, "
            "shortened or is an earlier copy; put it back. If it cannot be, compare the log with its "
            "exported copy (oncehub audit verify --archive), then run: oncehub audit checkpoint --anchor-anew"
        )


def _text(note: str) -> str | None:
    try:
        return Note.parse(note).text
    except NotGenuine:
        return None


def _notes(connection: Connection, after: int, *, only_last: bool = False) -> dict[int, str]:
    with connection, connection.cursor() as cursor:
        cursor.execute(_NOTES + (" desc limit 1" if only_last else ""), (after,))
        return dict(cursor.fetchall())
