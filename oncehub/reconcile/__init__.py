"""What is true: records linked to people, values believed with their provenance, and who disagrees."""

from oncehub.reconcile.parts import EVERYBODY, Part, parts_for
from oncehub.reconcile.run import (
    PARTS,
    LinkReport,
    ReconcileReport,
    SettleReport,
    link_changes,
    mark_all,
    reconcile,
    settle_people,
)

__all__ = [
    "EVERYBODY",
    "PARTS",
    "LinkReport",
    "Part",
    "ReconcileReport",
    "SettleReport",
    "link_changes",
    "mark_all",
    "parts_for",
    "reconcile",
    "settle_people",
]
