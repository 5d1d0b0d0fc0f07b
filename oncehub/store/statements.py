"""Loads SQL statements from `.sql` files: each lies in the folder `sql/` beside the code that runs it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

from psycopg2 import sql


def statement(module: str, name: str) -> sql.SQL:
    """Return the text of `sql/<name>.sql` beside a module, which callers name by their `__name__`.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return sql.SQL((resources.files(module.rpartition(".")[0]) / "sql" / f"{name}.sql").read_text("utf-8"))


def text_array(values: Iterable[str]) -> sql.Composed:
    """Build a `text[]` as one constant, so that hundreds of values cost the planner no more than one."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return sql.SQL("{}::text[]").format(sql.Literal("{" + ",".join(f'"{value}"' for value in quoted) + "}"))
