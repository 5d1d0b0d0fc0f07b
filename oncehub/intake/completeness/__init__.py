"""Compares what a source lists with what has landed, key by key."""
