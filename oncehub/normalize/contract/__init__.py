"""Checks records against the contract of their stream, a JSON Schema."""
