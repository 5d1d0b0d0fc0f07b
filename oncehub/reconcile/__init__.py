"""What is true: records linked to people, values believed with their provenance, and who disagrees."""

from oncehub.reconcile.run import (
    PARTS,
    LinkReport,
    ReconcileReport,
    SettleReport,
    finish_run,
    link_changes,
    mark_all,
    reconcile,
    settle_people,
)
from oncehub.reconcile.run_balance import Control, Difference, Line, control_of, recount
from oncehub.reconcile.shards import EVERYBODY, Part, parts_for

__all__ = [
    "EVERYBODY",
    "PARTS",
    "Control",
    "Difference",
    "Line",
    "LinkReport",
    "Part",
    "ReconcileReport",
    "SettleReport",
    "control_of",
    "finish_run",
    "link_changes",
    "mark_all",
    "parts_for",
    "reconcile",
    "recount",
    "settle_people",
]
