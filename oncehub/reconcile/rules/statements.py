"""Pieces of SQL that the rules fill in."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2 import sql


def columns(names: Iterable[str], of: str | None = None) -> sql.Composed:
    """Return `a, b` or, with `of`, `t.a, t.b`."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)
