"""Checks records against the JSON Schema of their stream."""
