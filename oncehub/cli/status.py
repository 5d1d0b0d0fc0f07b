"""`oncehub status`: the last run of every stream, and what needs a person."""

from __future__ import annotations

import sys
from typing import Any

import typer
from psycopg2.extras import RealDictCursor

from oncehub.cli.options import Json
from oncehub.cli.output import show, write_json
from oncehub.settings import Settings, load_settings
from oncehub.store.migrate import opened
from oncehub.watch.alarms import Lookout

_COLUMNS = ("stream", "state", "started_at", "read", "declared", "quarantined", "cursor")
_AUDITED = (
    *("stream", "audited_at", "declared", "listed", "landed", "rejected"),
    *("missing", "outdated", "superfluous"),
)

_LAST_AUDITS = """
select distinct on (source, stream)
    source, stream, audited_at, declared, listed, landed, rejected, missing, outdated, superfluous
from intake.audit
order by source, stream, audit_id desc
"""

_LAST_RUNS = """
select distinct on (source, stream)
    source, stream, mode, state, started_at, read, accepted, unchanged, quarantined, deleted,
    total as declared, position, sequence, intake.cursor.token is not null as by_token, error
from intake.run left join intake.cursor using (source, stream)
order by source, stream, run_id desc
"""


def status(as_json: Json = False) -> None:
    """Show the last run of every stream, and what is wrong (status 1)."""
    settings = load_settings()
    with opened(settings) as connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LAST_RUNS)
        rows = [_with_cursor(dict(row)) for row in cursor.fetchall()]
        cursor.execute(_LAST_AUDITS)
        audits = [dict(row) for row in cursor.fetchall()]
    short = [each for each in audits if each["missing"] or each["outdated"] or each["superfluous"]]
    failed = bool(short) or any(row["state"] == "failed" for row in rows)
    if not as_json:
        show(rows, title="last runs", columns=_COLUMNS)
        if audits:
            show(audits, title="last audits", columns=_AUDITED)
        # Errors follow the table: a column of it would be too narrow for them.
        sys.stdout.write("".join(f"{_error_line(row)}\n" for row in rows if row["error"]))
        sys.stdout.write("".join(f"{_short_line(each)}\n" for each in short))
        raise typer.Exit(report_alarms(settings, failed=failed))
    alarms = Lookout(settings, patient=False).look().alarms
    write_json({"runs": rows, "audits": audits, "alarms": alarms})
    raise typer.Exit(1 if failed or alarms else 0)


def report_alarms(settings: Settings, *, failed: bool = False) -> int:
    """Print what needs a person and what is not looked at; return the command's status.

    Args:
        settings: of the hub.
        failed: whether something else was found to be wrong.
    """
    watched = Lookout(settings, patient=False).look()
    sys.stdout.write("".join(f"wrong: {alarm}\n" for alarm in watched.alarms))
    if not (watched.alarms or failed):
        sys.stdout.write("nothing is wrong\n")
    sys.stderr.write("".join(f"not watched: {each}\n" for each in watched.unwatched))
    return 1 if failed or watched.alarms else 0


def _short_line(row: dict[str, Any]) -> str:
    name = f"{row['source']}.{row['stream']}"
    return (
        f"{name}: the audit found {row['missing']} missing, {row['outdated']} outdated and "
        f"{row['superfluous']} superfluous records; run: oncehub sync {name} --full --audit"
    )


def _error_line(row: dict[str, Any]) -> str:
    error: str = row["error"]
    stream = f"{row['source']}.{row['stream']}"
    return error if error.startswith(stream) else f"{stream}: {error}"


def _with_cursor(row: dict[str, Any]) -> dict[str, Any]:
    """Show the stream's cursor, a time or a number, as one field; of a token only that there is one."""
    position, sequence = row.pop("position"), row.pop("sequence")
    if row.pop("by_token"):
        return row | {"cursor": "token"}
    return row | {"cursor": sequence if position is None else position}
