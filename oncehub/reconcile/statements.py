"""The step's SQL: one `.sql` file a statement group, and the pieces that the rules fill in."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

from psycopg2 import sql


def statement(name: str) -> sql.SQL:
    """Return the text of `oncehub/reconcile/<name>.sql`."""
    return sql.SQL((resources.files("oncehub.reconcile") / f"{name}.sql").read_text("utf-8"))


def columns(names: Iterable[str], of: str | None = None) -> sql.Composed:
    """Return `a, b` or, with `of`, `t.a, t.b`."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)
