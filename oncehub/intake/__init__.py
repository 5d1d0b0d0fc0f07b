"""Lands the records of sources: micro-batches, checkpoints, quarantine and deletions."""

from oncehub.intake.micro_batches import Size
from oncehub.intake.quarantine.rejected_records import Quarantine
from oncehub.intake.runs.run import RunReport
from oncehub.intake.sync import sync

__all__ = ["Quarantine", "RunReport", "Size", "sync"]
