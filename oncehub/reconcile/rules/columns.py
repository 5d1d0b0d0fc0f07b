"""Lists of columns for statements that are generated from the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg2 import sql


def columns(names: Iterable[str], of: str | None = None) -> sql.Composed:
    """Return `a, b` or, with `of`, `t.a, t.b`."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)


def selected(expressions: Mapping[str, sql.Composable]) -> sql.Composed:
    """Return `expression as name, other as other_name`."""
    return sql.SQL(",\n    ").join(
        sql.SQL("{} as {}").format(each, sql.Identifier(name)) for name, each in expressions.items()
    )
