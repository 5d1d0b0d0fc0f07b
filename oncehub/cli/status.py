"""`oncehub status`: the last run of every stream."""

from __future__ import annotations

import sys
from typing import Any

from psycopg2.extras import RealDictCursor

from oncehub.cli.options import Json
from oncehub.cli.output import show
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

_COLUMNS = ("stream", "state", "started_at", "read", "quarantined", "cursor")

_LAST_RUNS = """
select distinct on (source, stream)
    source, stream, mode, state, started_at, read, accepted, unchanged, quarantined, deleted,
    position, sequence, error
from intake.run left join intake.cursor using (source, stream)
order by source, stream, run_id desc
"""


def status(as_json: Json = False) -> None:
    """Show the last run of every stream."""
    with opened(load_settings()) as connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LAST_RUNS)
        rows = [_with_cursor(dict(row)) for row in cursor.fetchall()]
    show(rows, title="last runs", columns=_COLUMNS, as_json=as_json)
    if not as_json:
        # Errors follow the table: a column of it would be too narrow for them.
        sys.stdout.write("".join(f"{_error_line(row)}\n" for row in rows if row["error"]))


def _error_line(row: dict[str, Any]) -> str:
    error: str = row["error"]
    stream = f"{row['source']}.{row['stream']}"
    return error if error.startswith(stream) else f"{stream}: {error}"


def _with_cursor(row: dict[str, Any]) -> dict[str, Any]:
    """Show the stream's cursor, a time or a number, as one field."""
    position, sequence = row.pop("position"), row.pop("sequence")
    return row | {"cursor": sequence if position is None else position}
