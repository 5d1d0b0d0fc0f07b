"""What verifying the access log can find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

What = Literal["changed", "removed", "inserted", "reordered", "misdated", "forged", "cut off"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was sealed.

    Attributes:
        what: `changed`, `removed`, `inserted`, `reordered` and `misdated` speak of a line, or of a part of an
            archive; `forged` of a seal; `cut off` of an end that is missing.
        seal: number of the seal.
        position: place of the line in the seal, from 1; None where it speaks of no line.
        entry_id: the line's number in the log, where it is known.
        detail: what was expected.
    """

    what: What
    seal: int | None
    position: int | None
    entry_id: int | None
    detail: str

    def __str__(self) -> str:
        """One line for a person."""
        seal = "" if self.seal is None else f"seal {self.seal}"
        line = "" if self.position is None else f"line {self.position}"
        entry = "" if self.entry_id is None else f"entry {self.entry_id}"
        place = ", ".join(filter(None, (seal, line, entry)))
        return f"{self.what}: {place}: {self.detail}" if place else f"{self.what}: {self.detail}"


@dataclass
class Verification:
    """The outcome.

    Attributes:
        seals: seals that were read.
        lines: lines in them.
        waiting: lines that no seal holds yet; of files always 0.
        anchored: anchored heads that were compared.
        findings: in the order of the log, the first first; at most some hundreds.
    """

    seals: int = 0
    lines: int = 0
    waiting: int = 0
    anchored: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def genuine(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
