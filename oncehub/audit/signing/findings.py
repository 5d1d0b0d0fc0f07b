"""What a verification of the access log finds, and what those of the database and of files have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson

from oncehub.audit.log.hashing import MOMENT
from oncehub.audit.signing.anchors import Anchors
from oncehub.audit.signing.attestations import Attestation, Attestors
from oncehub.audit.signing.stored import FoundLine
from oncehub.audit.tlog.notes import Note

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

_DETAILS: Final[Mapping[What, str]] = {
    "removed": "the line that was signed here is gone",
    "inserted": "this line was not signed here",
    "reordered": "this line was signed elsewhere",
    "changed": "the line does not say what was signed",
    "misdated": "it is dated long before lines that were signed earlier",
}


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
