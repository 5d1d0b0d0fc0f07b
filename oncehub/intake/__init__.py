"""Land what the sources state: batches, checkpoints, quarantine and deletions."""

from oncehub.intake.portions import Size
from oncehub.intake.quarantine import Quarantine
from oncehub.intake.runs import RunReport
from oncehub.intake.sync import sync

__all__ = ["Quarantine", "RunReport", "Size", "sync"]
