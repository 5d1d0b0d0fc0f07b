"""Verifies the access log against its checkpoints and anchors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson
from joserfc.jwk import OKPKey
from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import MOMENT, leaf_hash, line
from oncehub.audit.signing.anchors import Anchors
from oncehub.audit.signing.attestations import Attestation, Attestors, given
from oncehub.audit.signing.keys import raw_keys
from oncehub.audit.tlog.notes import Checkpoint, Note, NotGenuine, read_checkpoint
from oncehub.audit.tlog.proofs import commitment
from oncehub.audit.tlog.tree import TILE_HEIGHT, Edge, pieces
from oncehub.store.connection import Connection

What = Literal[
    "changed", "removed", "inserted", "reordered", "misdated", "forged", "cut off", "unanchored", "replaced"
]


@dataclass(frozen=True)
class Finding:
    """One difference from what was signed.

    Attributes:
        what: `changed`, `removed`, `inserted`, `reordered` and `misdated` are about a line, or a part of the
            tree; `forged` about a checkpoint; `cut off` about a missing end; `unanchored` about checkpoints
            that the anchors lack; `replaced` about a routine of the database.
        checkpoint: number of the checkpoint; None where it is not known.
        position: place of the line, from 1, in the checkpoint; in the log where no checkpoint is named. None
            where the finding is about no line.
        entry_id: the line's number in the log, where it is known.
        detail: what was expected.
    """

    what: What
    checkpoint: int | None
    position: int | None
    entry_id: int | None
    detail: str

    def __str__(self) -> str:
        """One line for a person."""
        checkpoint = "" if self.checkpoint is None else f"checkpoint {self.checkpoint}"
        line = "" if self.position is None else f"line {self.position}"
        entry = "" if self.entry_id is None else f"entry {self.entry_id}"
        place = ", ".join(filter(None, (checkpoint, line, entry)))
        return f"{self.what}: {place}: {self.detail}" if place else f"{self.what}: {self.detail}"


@dataclass
class Verification:
    """The outcome.

    Attributes:
        checkpoints: checkpoints that were read.
        lines: lines in them.
        waiting: lines that no checkpoint holds yet; of files always 0.
        anchored: anchored checkpoints that were compared.
        attested: attestations of witnesses and authorities that hold.
        unknown: attestations by those who are not configured, which nobody verified.
        adoptions: when, by whom and why the database was adopted after a restore, as signed.
        findings: in the order of the log; at most some hundreds.
    """

    checkpoints: int = 0
    lines: int = 0
    waiting: int = 0
    anchored: int = 0
    attested: int = 0
    unknown: int = 0
    adoptions: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def genuine(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def attests(self, others: Attestors, number: int | None, note: Note, given: Attestation) -> None:
        """Verify an attestation to a checkpoint."""
        try:
            problem = others.problem(note, given)
        except LookupError:
            self.unknown += 1
            return
        if problem:
            self.findings.append(Finding("forged", number, None, None, problem))
        else:
            self.attested += 1


ENOUGH: Final = 200
"""Findings after which a verification ends."""

TOLERANCE: Final = timedelta(minutes=10)
"""Longest that a transaction may answer and log: no line may be dated further before an earlier line."""

_CHECKPOINTS: Final = """
select number, size, commitments, note, horizon::text
from audit.checkpoint
where number > %s
order by number
limit 1
"""

_LINES: Final = """
select leaf.index as leaf_index, leaf.entry_id as leaf_entry, leaf.salt as leaf_salt, entry.*
from audit.leaf left join audit.entry using (entry_id)
where leaf.index >= %s and leaf.index < %s
order by leaf.index
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

_DETAILS: Final[Mapping[What, str]] = {
    "removed": "the line that was signed here is gone",
    "inserted": "this line was not signed here",
    "reordered": "this line was signed elsewhere",
    "changed": "the line does not say what was signed",
    "misdated": "it is dated long before lines that were signed earlier",
}


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


class LineVerifier:
    """Compares lines with the entries of the tree, and their dates with each other."""

    def __init__(self, outcome: Verification) -> None:
        self._outcome = outcome
        self.newest: datetime | None = None

    def verify(
        self, number: int | None, first: int, entries: Sequence[bytes], lines: Sequence[FoundLine]
    ) -> None:
        """Name each line that differs from the entries from `first` on."""
        places = {entry: first + place for place, entry in enumerate(entries)}
        found = dict[int, FoundLine]()
        for each in lines:
            if each.index in found or not 0 <= each.index - first < len(entries):
                self._found("inserted", number, first, each)
            else:
                found[each.index] = each
        for index, entry in enumerate(entries, first):
            each = found.get(index) or FoundLine(index, None, None, b"")
            if each.text is None:
                self._found("removed", number, first, each)
            elif (committed := each.commitment) != entry:
                self._found("reordered" if committed in places else "changed", number, first, each)
            if each.text is not None:
                self._read(number, first, each, orjson.loads(each.text))

    def _found(self, what: What, number: int | None, first: int, each: FoundLine) -> None:
        position = each.index + 1 - (0 if number is None else first)
        finding = Finding(what, number, position, each.entry_id, _DETAILS[what])
        self._outcome.findings.append(finding)

    def _read(self, number: int | None, first: int, each: FoundLine, content: Mapping[str, Any]) -> None:
        """Note an adoption, and find a line that was inserted later: an old date after newer ones."""
        if content.get("action") == "adoption":
            told = {"at": "-", "officer": "-", "purpose": "-"} | dict(content)
            self._outcome.adoptions.append("{at} by {officer}: {purpose}".format_map(told))
        try:
            at = datetime.strptime(str(content.get("at")), MOMENT).replace(tzinfo=UTC)
        except ValueError:
            return
        if self.newest and at < self.newest - TOLERANCE:
            self._found("misdated", number, first, each)
        self.newest = max(self.newest or at, at)


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
        lines = self._lines(first, row["size"])
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

    def _lines(self, first: int, stop: int) -> list[FoundLine]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_LINES, (first, stop))
            return [_line(dict(row)) for row in cursor.fetchall()]


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


def anchor_findings(anchors: Anchors, last: int, made: int, needed: int | None = None) -> Iterator[Finding]:
    """Find checkpoints that are there and not anchored, or the other way round.

    Args:
        anchors: kept elsewhere.
        last: number of the last checkpoint that is there.
        made: number of the last one that must be anchored.
        needed: number of the last one that must be there; None for the last that is anchored.
    """
    first = max(anchors.heads, default=0) + 1
    if made >= first:
        numbers = f"checkpoint {first}" if first == made else f"checkpoints {first} to {made}"
        detail = (
            f"the anchors lack {numbers}: the file was shortened or is an earlier copy, or signing was "
            "interrupted"
        )
        yield Finding("unanchored", first, None, None, detail)
    end = first - 1 if needed is None else needed
    if last < end:
        missing = f"the checkpoints from here to {end} were made and are not there"
        yield Finding("cut off", last + 1, None, None, missing)


def is_of(origin: str, base: str) -> bool:
    """Whether a log's name is that of an earlier checkpoint, or the one that an adoption gave it since."""
    return origin == base or origin.startswith(f"{base}/")


def _line(row: dict[str, Any]) -> FoundLine:
    index, entry_id, salt = row.pop("leaf_index"), row.pop("leaf_entry"), bytes(row.pop("leaf_salt"))
    return FoundLine(index, entry_id, line(row) if row["entry_id"] is not None else None, salt)


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
