"""What a task says of its work: window and counts, never a record."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oncehub.intake import RunReport

logger = logging.getLogger(__name__)

COUNTS = ("pages", "read", "accepted", "unchanged", "quarantined", "deleted")


def log_landing(run: RunReport) -> None:
    """Log a run's window and its counts so far."""
    counts = ", ".join(f"{name} {getattr(run, name):,}" for name in COUNTS)
    window = f"[{_shown(run.window.since, 'the beginning')}, {_shown(run.window.until, 'now')})"
    state = "done" if run.done else "running"
    logger.info("%s.%s %s %s %s: %s", run.source, run.stream, run.mode, window, state, counts)


def landed(runs: Iterable[RunReport]) -> dict[str, int]:
    """Sum the counts of runs, for XCom."""
    totals = dict.fromkeys(COUNTS, 0)
    for run in runs:
        for name in COUNTS:
            totals[name] += getattr(run, name)
    return totals


def counted(report: Any) -> dict[str, Any]:
    """Log a step's report (a dataclass of counts) and return it for XCom."""
    counts = dataclasses.asdict(report)
    logger.info("%s", ", ".join(f"{name} {value}" for name, value in counts.items()))
    return counts


def _shown(moment: datetime | None, otherwise: str) -> str:
    return moment.isoformat() if moment else otherwise
