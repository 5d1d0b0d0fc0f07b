"""Sequence delivery: gap-free, commit-ordered sequences and the offsets of their consumers."""
