"""What is true: records linked to people, values believed with their provenance, and who disagrees."""

from oncehub.reconcile.run import ReconcileReport, mark_all, reconcile

__all__ = ["ReconcileReport", "mark_all", "reconcile"]
