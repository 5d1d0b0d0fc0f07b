"""Loads SQL statements from `.sql` files: each lies in the folder `sql/` beside the code that runs it."""

from __future__ import annotations

from importlib import resources

from psycopg2 import sql


def statement(module: str, name: str) -> sql.SQL:
    """Return the text of `sql/<name>.sql` beside a module, which callers name by their `__name__`.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return sql.SQL((resources.files(module.rpartition(".")[0]) / "sql" / f"{name}.sql").read_text("utf-8"))
