"""Follows runs from the source to the feeds: landing, reconcile run, release, each with its DAG run."""

from __future__ import annotations

from typing import Any

from psycopg2.extras import RealDictCursor

from oncehub.errors import ConfigError
from oncehub.store.connection import Connection
from oncehub.store.statements import statement


def trail(connection: Connection, run: str | None = None, *, limit: int = 50) -> list[dict[str, Any]]:
    """Return which landing came into which reconcile run, and that into which release, the latest first.

    A row has what is known of one way; its other fields are null.

    Args:
        connection: with the rights of the hub's owner.
        run: only the rows of this landing (`landing-12`), reconcile run (`reconcile-7`), release
            (`release-31`), DAG run (`sync_tax/manual__2026-…`), or line of a feed (`residence:1234`).
        limit: the most rows.

    Raises:
        ConfigError: there is no such run.
    """
    line = (run or "").rpartition(":")[2]
    values = {"run": run, "line": int(line) if line.isascii() and line.isdecimal() else None, "limit": limit}
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement(__name__, "trail"), values)
        rows = [dict(row) for row in cursor.fetchall()]
    if run is not None and not rows:
        raise ConfigError(
            f"there is no run {run}, or it was purged; `oncehub runs` lists the latest. Name landing-N, "
            "reconcile-N, release-N, DAG/RUN of Airflow, or FEED:LINE"
        )
    return rows
