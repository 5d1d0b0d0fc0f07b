"""Lands a batch: upserts rows, and marks deleted what a snapshot no longer lists."""
