"""Signed checkpoints of the access log, their archives and verification."""
