"""Verifies the access log against its checkpoints and anchors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from joserfc.jwk import OKPKey

from oncehub.audit.log.hashing import root_hash
from oncehub.audit.signing.anchors import Anchors
from oncehub.audit.signing.batches import FoundBatch, FoundLine, batches_in_database
from oncehub.audit.signing.statements import NO_CHECKPOINT, NotGenuine, Statement, head, read_statement
from oncehub.store.connection import Connection

What = Literal[
    "changed", "removed", "inserted", "reordered", "misdated", "forged", "cut off", "unanchored", "replaced"
]


@dataclass(frozen=True)
class Finding:
    """One difference from what was signed.

    Attributes:
        what: `changed`, `removed`, `inserted`, `reordered` and `misdated` are about a line, or a part of an
            archive; `forged` about a checkpoint; `cut off` about a missing end; `unanchored` about
            checkpoints that the anchors lack; `replaced` about a routine of the database.
        checkpoint: number of the checkpoint.
        position: place of the line in the checkpoint, from 1; None where the finding is about no line.
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
        anchored: anchored heads that were compared.
        adoptions: when, by whom and why the database was adopted after a restore, as signed.
        findings: in the order of the log; at most some hundreds.
    """

    checkpoints: int = 0
    lines: int = 0
    waiting: int = 0
    anchored: int = 0
    adoptions: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def genuine(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


ENOUGH: Final = 200
"""Findings after which a verification ends."""

TOLERANCE: Final = timedelta(minutes=10)
"""Longest that a transaction may answer and log: no line may be dated further before an earlier line."""

_WAITING: Final = "select count(*) from audit.entry where transaction >= %s::xid8"

_UNSIGNED: Final = """
select entry_id from audit.entry where transaction < %(horizon)s::xid8
except
select unnest(entries) from audit.checkpoint
order by entry_id
limit %(limit)s
"""

_BACKDATED: Final = """
select entry_id from audit.entry
where transaction >= %(horizon)s::xid8 and at < %(oldest)s::timestamptz
order by entry_id
limit %(limit)s
"""


class Chain:
    """Verifies batch after batch, each against the one before it.

    Args:
        trusted: public keys by their thumbprint.
        anchors: kept elsewhere, one for each checkpoint; None waives them.
    """

    def __init__(self, trusted: Mapping[str, OKPKey], anchors: Anchors | None) -> None:
        self._trusted = trusted
        self._heads = anchors.heads if anchors else {}
        self._anchored = anchors is not None
        self._number = 0
        self._head = NO_CHECKPOINT
        self.horizon = "0"
        self.newest: datetime | None = None
        self.outcome = Verification()

    def follow(self, batches: Iterable[FoundBatch]) -> None:
        """Verify batches in their order, until there are `ENOUGH` findings."""
        for batch in batches:
            for finding in self._judged(batch):
                self.found(finding)
            if len(self.outcome.findings) >= ENOUGH:
                return

    def end(self, last: int, made: int | None = None) -> None:
        """Verify that no checkpoint is missing up to number `last`, and that each up to `made` is anchored.

        With `made` None, all must be anchored.
        """
        first = max(self._heads, default=0) + 1
        newest = self._number if made is None else min(self._number, made)
        if self._anchored and newest >= first:
            numbers = f"checkpoint {first}" if first == newest else f"checkpoints {first} to {newest}"
            detail = (
                f"the anchors lack {numbers}: the file was shortened or is an earlier copy, or signing was "
                "interrupted"
            )
            self.found(Finding("unanchored", first, None, None, detail))
        if self._number < last and len(self.outcome.findings) < ENOUGH:
            missing = f"the checkpoints from here to {last} were made and are not there"
            self.found(Finding("cut off", self._number + 1, None, None, missing))

    def found(self, finding: Finding) -> None:
        """Note a finding."""
        self.outcome.findings.append(finding)

    def _judged(self, batch: FoundBatch) -> Iterator[Finding]:
        self.outcome.checkpoints += 1
        self.outcome.lines += len(batch.lines)
        self.outcome.adoptions += [line.adoption for line in batch.lines if line.adoption]
        yield from (Finding("changed", batch.number, None, None, problem) for problem in batch.problems)
        if batch.number != self._number + 1:
            absent = f"checkpoint {self._number + 1} should come here"
            yield Finding("removed", self._number + 1, None, None, absent)
        yield from self._checkpoint_findings(batch)
        yield from self._date_findings(batch)
        self._number, self._head = batch.number, head(batch.statement)

    def _checkpoint_findings(self, batch: FoundBatch) -> Iterator[Finding]:
        number = batch.number
        if (anchored := self._heads.get(number)) is not None:
            self.outcome.anchored += 1
            if anchored != head(batch.statement):
                yield Finding("forged", number, None, None, "its statement is not the one that was anchored")
        try:
            statement = read_statement(batch.statement, self._trusted)
        except NotGenuine as error:
            yield Finding("forged", number, None, None, f"its statement {error}")
            yield from line_findings(number, batch.leaves, batch.lines)
            return
        self.horizon = statement.horizon
        yield from self._statement_findings(batch, statement)
        yield from _content_findings(batch, statement)

    def _statement_findings(self, batch: FoundBatch, statement: Statement) -> Iterator[Finding]:
        number = batch.number
        if statement.number != number:
            yield Finding(
                "reordered", number, None, None, f"its statement is that of checkpoint {statement.number}"
            )
        if statement.previous != self._head:
            yield Finding(
                "forged", number, None, None, "it was made after another checkpoint than the one before it"
            )
        if batch.horizon not in (None, statement.horizon):
            yield Finding("changed", number, None, None, "the horizon beside its statement is another one")

    def _date_findings(self, batch: FoundBatch) -> Iterator[Finding]:
        """Find lines that were inserted later: an old date after newer ones."""
        for position, line in enumerate(batch.lines, 1):
            if line.at is None:
                continue
            if self.newest and line.at < self.newest - TOLERANCE:
                detail = "it is dated long before lines that were signed earlier"
                yield Finding("misdated", batch.number, position, line.entry_id, detail)
            self.newest = max(self.newest or line.at, line.at)


def verify_database(
    connection: Connection, trusted: Mapping[str, OKPKey], anchors: Anchors | None, made: int | None = None
) -> Verification:
    """Verify every line of the database against its checkpoint, in one snapshot; reads the whole log.

    Args:
        connection: with the hub's own role and no transaction open.
        trusted: public keys by their thumbprint.
        anchors: kept outside the database; None waives them.
        made: number of the last checkpoint when the anchors were read: a later one may wait for its anchor.
            None when none was made meanwhile.
    """
    with connection:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
        chain = Chain(trusted, anchors)
        chain.follow(batches_in_database(connection))
        chain.end(max(anchors.heads, default=0) if anchors else 0, made)
        for what, entry_id, detail in _strays(connection, chain):
            chain.found(Finding(what, None, None, entry_id, detail))
    return chain.outcome


def line_findings(number: int, leaves: Sequence[bytes], lines: Sequence[FoundLine]) -> Iterator[Finding]:
    """Name the first line of a batch that differs from the hashes that were signed."""
    found = [line.hash for line in lines]
    place = next(
        (place for place, (hash_, leaf) in enumerate(zip(found, leaves, strict=False)) if hash_ != leaf),
        min(len(found), len(leaves)),
    )
    if place == max(len(found), len(leaves)):
        return
    entry_id = lines[place].entry_id if place < len(lines) else None
    what = _what(leaves, found, place)
    # The line that takes a removed one's place in an archive is not the one that is gone.
    named = None if what == "removed" and place < len(found) and found[place] else entry_id
    yield Finding(what, number, place + 1, named, _DETAILS[what])


_DETAILS: Final = {
    "removed": "the line that was signed here is gone",
    "inserted": "this line was not signed here",
    "reordered": "the line that was signed here stands elsewhere",
    "changed": "the line does not say what was signed",
}


def _what(leaves: Sequence[bytes], found: Sequence[bytes | None], place: int) -> What:
    if place >= len(leaves):
        return "inserted"
    if place >= len(found) or found[place] is None:
        return "removed"
    elsewhere = leaves[place] in found[place + 1 :]
    known = found[place] in leaves
    if elsewhere:
        return "reordered" if known else "inserted"
    return "removed" if known else "changed"


def _content_findings(batch: FoundBatch, statement: Statement) -> Iterator[Finding]:
    """Compare lines with hashes, and the hashes with the signed root."""
    number = batch.number
    sound = len(batch.leaves) == statement.lines and root_hash(batch.leaves).hex() == statement.root
    if not sound:
        yield Finding("changed", number, None, None, "the hashes kept with it are not those that were signed")
        hashes = [line.hash for line in batch.lines if line.hash is not None]
        if len(hashes) == statement.lines and root_hash(hashes).hex() == statement.root:
            return
    yield from line_findings(number, batch.leaves, batch.lines)


def _strays(connection: Connection, chain: Chain) -> Iterator[tuple[What, int, str]]:
    """Find lines without a checkpoint that are older than the last one, or wait with an old date."""
    asked = {
        "horizon": chain.horizon,
        "oldest": chain.newest and chain.newest - TOLERANCE,
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
