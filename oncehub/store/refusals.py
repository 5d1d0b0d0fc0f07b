"""What the database refused, told without the values that its own messages quote."""

from __future__ import annotations

import re

import psycopg2

_REASONS = {
    "Connection refused": "connection refused",
    "No such file or directory": "no server at its socket",
    "translate host name": "its host name is not found",
    "timeout expired": "no answer in time",
}


def describe(error: psycopg2.Error) -> str:
    """Name the error, its code and the place; its message may quote rows, and rows are personal data."""
    places = (
        error.diag.schema_name,
        error.diag.table_name,
        error.diag.column_name,
        error.diag.constraint_name,
    )
    place = ".".join(name for name in places if name)
    code = error.pgcode or "connection lost"
    return f"the database refused: {type(error).__name__} ({code})" + (f" at {place}" if place else "")


def why_not_connected(error: psycopg2.OperationalError) -> str:
    """Say why there is no connection; only the server's own word is quoted.

    What libpq says by itself quotes the URL, of which half a password may be taken for the host or port.
    """
    message = str(error)
    if said := re.search(r"FATAL:\s+(.+)", message):
        return said[1]
    return next((reason for sign, reason in _REASONS.items() if sign in message), "no connection")
