"""What a case of the conformance suite finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "not shown"]


@dataclass(frozen=True)
class Verdict:
    """What one case found; nothing in it repeats a value of a record.

    Attributes:
        case: its name.
        stream: None where it is about the connector as a whole.
        message: what was seen; of a fault, what is wrong and what to do; else what would show it.
        fault: short name of the fault; None unless failed.
    """

    case: str
    stream: str | None
    outcome: Outcome
    message: str
    fault: str | None = None


class Fault(Exception):
    """Ends a case: the source, its connector or the hub does something wrong.

    Attributes:
        name: short, e.g. `since_exclusive`.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class NotShown(Exception):
    """Ends a case: there is nothing to show it on; the text says what would."""
