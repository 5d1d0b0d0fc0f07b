"""Lands a batch: upserts rows, and deletes what a snapshot no longer lists."""
