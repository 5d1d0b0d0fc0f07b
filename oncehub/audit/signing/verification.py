"""Verifies the access log against its checkpoints and anchors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from joserfc.jwk import OKPKey
from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import leaf_hash
from oncehub.audit.signing.anchors import Anchors
from oncehub.audit.signing.attestations import Attestors, given
from oncehub.audit.signing.findings import (
    ENOUGH,
    TOLERANCE,
    Finding,
    LineVerifier,
    Verification,
    What,
    anchor_findings,
    is_of,
)
from oncehub.audit.signing.keys import raw_keys
from oncehub.audit.signing.stored import FoundLine, stored_lines
from oncehub.audit.tlog.notes import Checkpoint, Note, NotGenuine, read_checkpoint
from oncehub.audit.tlog.tree import TILE_HEIGHT, Edge, pieces
from oncehub.store.connection import Connection

_CHECKPOINTS: Final = """
select number, size, commitments, note, horizon::text
from audit.checkpoint
where number > %s
order by number
limit 1
"""

_BEYOND: Final = "select index, entry_id from audit.leaf where index >= %s order by index limit %s"

_SUBTREES: Final = "select level, index, hash from audit.subtree order by level, index"

_STRAY_ATTESTATIONS: Final = """
select number from audit.attestation
except
select number from audit.checkpoint
order by number
"""

_WAITING: Final = "select count(*) from audit.entry where transaction >= %s::xid8"

_UNSIGNED: Final = """
select entry_id from audit.entry where transaction < %(horizon)s::xid8
except
select entry_id from audit.leaf
order by entry_id
limit %(limit)s
"""

_BACKDATED: Final = """
select entry_id from audit.entry
where transaction >= %(horizon)s::xid8 and at < %(oldest)s::timestamptz
order by entry_id
limit %(limit)s
"""


class _Chain:
    """Verifies checkpoint after checkpoint of the database, each against the tree so far."""

    def __init__(
        self, connection: Connection, keys: Sequence[bytes], anchors: Anchors | None, others: Attestors
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._heads = anchors.heads if anchors else {}
        self._others = others
        self._edge = Edge()
        self._broken = False
        self._completed = dict[tuple[int, int], bytes]()
        self._origin: str | None = None
        self.number = 0
        self.horizon = "0"
        self.outcome = Verification()
        self.lines = LineVerifier(self.outcome)

    def follow(self) -> None:
        """Verify all checkpoints in their order, until there are `ENOUGH` findings."""
        while len(self.outcome.findings) < ENOUGH and (row := self._next()):
            self._judge(row)
            self.number = row["number"]
        if len(self.outcome.findings) < ENOUGH:
            self._verify_rest()

    def _judge(self, row: Mapping[str, Any]) -> None:
        number, entries = row["number"], pieces(bytes(row["commitments"]))
        self.outcome.checkpoints += 1
        self.outcome.lines += len(entries)
        if number != self.number + 1:
            absent = f"checkpoint {self.number + 1} should come here"
            self._found("removed", self.number + 1, absent)
        first = row["size"] - len(entries)
        if first != self._edge.size:
            self._found("changed", number, "its size does not continue that of the checkpoint before it")
            self._broken = True
        lines = stored_lines(self._connection, first, row["size"])
        note = self._note(row)
        self.lines.verify(number, first, self._verified_entries(row, note, entries, lines), lines)
        self._verify_horizon(row, lines)
        if note:
            for attestation in given(self._connection, number):
                self.outcome.attests(self._others, number, note, attestation)

    def _verified_entries(
        self, row: Mapping[str, Any], note: Note | None, entries: Sequence[bytes], lines: Sequence[FoundLine]
    ) -> Sequence[bytes]:
        """Add the entries of a checkpoint to the tree; return those that were signed."""
        number, checkpoint, before = row["number"], self._checkpoint(row, note), self._edge.copy()
        if checkpoint and checkpoint.size != row["size"]:
            self._found("forged", number, f"its note is of {checkpoint.size} entries, not {row['size']}")
            self._broken = True
        completed = self._edge.extend(map(leaf_hash, entries))
        if checkpoint and not self._broken and self._edge.root() != checkpoint.root:
            committed = [each.commitment or b"" for each in lines]
            again = before.extend(map(leaf_hash, committed))
            sound = (before.size, before.root()) == (checkpoint.size, checkpoint.root)
            detail = "the entries kept with it are not those that were signed"
            if sound:
                self._edge, completed, entries = before, again, committed
            else:
                self._broken = True
                detail += ": from here on the tree cannot be verified, and lines only by these entries"
            self._found("changed", number, detail)
        if not self._broken:
            self._completed |= {(each.level, each.index): each.hash for each in completed}
        return entries

    def _checkpoint(self, row: Mapping[str, Any], note: Note | None) -> Checkpoint | None:
        number = row["number"]
        if (anchored := self._heads.get(number)) is not None:
            self.outcome.anchored += 1
            if note is None or anchored != note.text:
                self._found("forged", number, "it is not the one that was anchored")
        try:
            checkpoint, read = read_checkpoint(row["note"], self._keys)
        except NotGenuine as error:
            self._found("forged", number, f"its note {error}")
            return None
        if str(read) != row["note"] or len(read.signatures) != 1:
            self._found("forged", number, "its note has more below it than the log's signature")
        self._verify_origin(number, checkpoint.origin)
        return checkpoint

    def _verify_origin(self, number: int, origin: str) -> None:
        base = self._origin or origin
        if not is_of(origin, base):
            self._found("forged", number, f"it is of the log {origin}, and the log is {base}")
        self._origin = base

    def _note(self, row: Mapping[str, Any]) -> Note | None:
        try:
            return Note.parse(row["note"])
        except NotGenuine:
            return None

    def _verify_horizon(self, row: Mapping[str, Any], lines: Sequence[FoundLine]) -> None:
        self.horizon = row["horizon"]
        text = lines[-1].text if lines else None
        if text and str(int(orjson.loads(text)["transaction"]) + 1) != self.horizon:
            self._found("changed", row["number"], "its horizon does not follow its last line's transaction")

    def _found(self, what: What, number: int | None, detail: str) -> None:
        self.outcome.findings.append(Finding(what, number, None, None, detail))

    def _verify_rest(self) -> None:
        """Verify what is kept beside the checkpoints."""
        with self._connection.cursor() as cursor:
            cursor.execute(_STRAY_ATTESTATIONS)
            for (number,) in cursor.fetchall():
                self._found("inserted", number, "it is attested, and there is no such checkpoint")
            cursor.execute(_BEYOND, (self._edge.size, ENOUGH))
            for index, entry_id in cursor.fetchall():
                detail = "it has a salt, and no checkpoint has so many entries"
                self.outcome.findings.append(Finding("inserted", None, index + 1, entry_id, detail))
            cursor.execute(_SUBTREES)
            kept = {(level, index): bytes(each) for level, index, each in cursor.fetchall()}
        if self._broken:
            return
        for level, index in sorted(kept.keys() | self._completed.keys()):
            if kept.get((level, index)) != self._completed.get((level, index)):
                height = level * TILE_HEIGHT
                detail = (
                    f"the hash of level {level} over the lines {(index << height) + 1:,} to "
                    f"{(index + 1) << height:,} is not that of the entries"
                )
                self._found("changed", None, detail)

    def _next(self) -> Mapping[str, Any] | None:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_CHECKPOINTS, (self.number,))
            return cursor.fetchone()


def verify_database(
    connection: Connection,
    trusted: Mapping[str, OKPKey],
    anchors: Anchors | None,
    made: int | None = None,
    others: Attestors | None = None,
) -> Verification:
    """Verify every line of the database against the signed tree, in one snapshot; reads the whole log.

    Args:
        connection: with the hub's own role and no transaction open.
        trusted: public keys by their thumbprint.
        anchors: kept outside the database; None waives them.
        made: number of the last checkpoint when the anchors were read: a later one may wait for its anchor.
            None when none was made meanwhile.
        others: witnesses and authorities that are known.
    """
    with connection:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
        chain = _Chain(connection, raw_keys(trusted), anchors, others or Attestors())
        chain.follow()
        outcome = chain.outcome
        if anchors is not None:
            newest = chain.number if made is None else min(chain.number, made)
            outcome.findings.extend(anchor_findings(anchors, chain.number, newest))
        for what, entry_id, detail in _strays(connection, chain):
            outcome.findings.append(Finding(what, None, None, entry_id, detail))
    return outcome


def _strays(connection: Connection, chain: _Chain) -> Iterator[tuple[What, int, str]]:
    """Find lines without a checkpoint that are older than the last one, or wait with an old date."""
    asked = {
        "horizon": chain.horizon,
        "oldest": chain.lines.newest and chain.lines.newest - TOLERANCE,
        "limit": ENOUGH,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, (chain.horizon,))
        (chain.outcome.waiting,) = cursor.fetchone() or (0,)
        cursor.execute(_UNSIGNED, asked)
        for (entry_id,) in cursor.fetchall():
            yield "inserted", entry_id, "no checkpoint holds it, though it is older than the last one"
        cursor.execute(_BACKDATED, asked)
        for (entry_id,) in cursor.fetchall():
            yield "misdated", entry_id, "it waits to be signed and is dated long before signed lines"
