"""What a task reports to Airflow: counts, never a record."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oncehub.intake.runs.run import RunReport

logger = logging.getLogger(__name__)

COUNTS = ("pages", "read", "accepted", "unchanged", "quarantined", "deleted", "drift")


def landed(runs: Iterable[RunReport]) -> dict[str, int]:
    """Return the summed counts of runs for XCom; intake has already logged each run."""
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
