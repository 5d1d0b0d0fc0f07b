"""Holding the access log against its seals, wherever it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from joserfc.jwk import OKPKey

from oncehub.audit.signing.anchors import Anchors
from oncehub.audit.signing.batches import FoundBatch, FoundLine, batches_in_database
from oncehub.audit.signing.findings import Finding, Verification, What
from oncehub.audit.signing.merkle import root_hash
from oncehub.audit.signing.statements import NO_SEAL, NotGenuine, Statement, head, read_statement
from oncehub.store.connection import Connection

ENOUGH: Final = 200
"""So many findings end a verification: more tell nothing new."""

TOLERANCE: Final = timedelta(minutes=10)
"""A transaction that asks and logs is over in less: no line may be dated further before an earlier one."""

_WAITING: Final = "select count(*) from audit.entry where transaction >= %s::xid8"

_UNSEALED: Final = """
select entry_id from audit.entry where transaction < %(horizon)s::xid8
except
select unnest(entries) from audit.seal
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
        heads: what is anchored of each seal, by number.
    """

    def __init__(self, trusted: Mapping[str, OKPKey], heads: Mapping[int, str]) -> None:
        self._trusted = trusted
        self._heads = heads
        self._number = 0
        self._head = NO_SEAL
        self.horizon = "0"
        self.newest: datetime | None = None
        self.outcome = Verification()

    def follow(self, batches: Iterable[FoundBatch]) -> None:
        """Verify batches in their order, until enough is found."""
        for batch in batches:
            for finding in self._judged(batch):
                self.found(finding)
            if len(self.outcome.findings) >= ENOUGH:
                return

    def end(self, last: int) -> None:
        """Verify that no seal is missing up to number `last`."""
        if self._number < last and len(self.outcome.findings) < ENOUGH:
            missing = f"the seals from here to {last} were made and are not there"
            self.found(Finding("cut off", self._number + 1, None, None, missing))

    def found(self, finding: Finding) -> None:
        """Note a finding."""
        self.outcome.findings.append(finding)

    def _judged(self, batch: FoundBatch) -> Iterator[Finding]:
        self.outcome.seals += 1
        self.outcome.lines += len(batch.lines)
        yield from (Finding("changed", batch.number, None, None, problem) for problem in batch.problems)
        if batch.number != self._number + 1:
            absent = f"seal {self._number + 1} should come here"
            yield Finding("removed", self._number + 1, None, None, absent)
        yield from self._seal_findings(batch)
        yield from self._date_findings(batch)
        self._number, self._head = batch.number, head(batch.statement)

    def _seal_findings(self, batch: FoundBatch) -> Iterator[Finding]:
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
                "reordered", number, None, None, f"its statement is that of seal {statement.number}"
            )
        if statement.previous != self._head:
            yield Finding(
                "forged", number, None, None, "it was made after another seal than the one before it"
            )
        if batch.horizon not in (None, statement.horizon):
            yield Finding("changed", number, None, None, "the horizon beside its statement is another one")

    def _date_findings(self, batch: FoundBatch) -> Iterator[Finding]:
        """A line that was slipped in later bears an old date after newer ones."""
        for position, line in enumerate(batch.lines, 1):
            if line.at is None:
                continue
            if self.newest and line.at < self.newest - TOLERANCE:
                detail = "it is dated long before lines that were sealed earlier"
                yield Finding("misdated", batch.number, position, line.entry_id, detail)
            self.newest = max(self.newest or line.at, line.at)


def verify_database(connection: Connection, trusted: Mapping[str, OKPKey], anchors: Anchors) -> Verification:
    """Hold every line of the database against its seal, in one snapshot; reads the whole log.

    Args:
        connection: with the hub's own role and no transaction open.
        trusted: public keys by their thumbprint.
        anchors: what was kept outside the database.
    """
    with connection:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
        chain = Chain(trusted, anchors.heads)
        chain.follow(batches_in_database(connection))
        chain.end(max(anchors.heads, default=0))
        for what, entry_id, detail in _strays(connection, chain):
            chain.found(Finding(what, None, None, entry_id, detail))
    return chain.outcome


def line_findings(number: int, leaves: Sequence[bytes], lines: Sequence[FoundLine]) -> Iterator[Finding]:
    """Name the first line of a batch that differs from the hashes that were sealed."""
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
    "removed": "the line that was sealed here is gone",
    "inserted": "this line was not sealed here",
    "reordered": "the line that was sealed here stands elsewhere",
    "changed": "the line does not say what was sealed",
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
    """Hold lines against hashes, and these against the signed root."""
    number = batch.number
    sound = len(batch.leaves) == statement.lines and root_hash(batch.leaves).hex() == statement.root
    if not sound:
        yield Finding("changed", number, None, None, "the hashes kept with it are not those that were sealed")
        hashes = [line.hash for line in batch.lines if line.hash is not None]
        if len(hashes) == statement.lines and root_hash(hashes).hex() == statement.root:
            return
    yield from line_findings(number, batch.leaves, batch.lines)


def _strays(connection: Connection, chain: Chain) -> Iterator[tuple[What, int, str]]:
    """Lines that no seal holds: older than the last seal, or waiting with an old date."""
    asked = {
        "horizon": chain.horizon,
        "oldest": chain.newest and chain.newest - TOLERANCE,
        "limit": ENOUGH,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, (chain.horizon,))
        (chain.outcome.waiting,) = cursor.fetchone() or (0,)
        cursor.execute(_UNSEALED, asked)
        for (entry_id,) in cursor.fetchall():
            yield "inserted", entry_id, "no seal holds it, though it is older than the last one"
        cursor.execute(_BACKDATED, asked)
        for (entry_id,) in cursor.fetchall():
            yield "misdated", entry_id, "it waits to be sealed and is dated long before sealed lines"
