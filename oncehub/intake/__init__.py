"""Lands the records of sources: micro-batches, checkpoints, quarantine and deletions."""
