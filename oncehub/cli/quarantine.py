"""`oncehub quarantine`: rejected records, and their replay after a fix."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import typer

from oncehub.anonymisation.anonymiser import masked
from oncehub.anonymisation.non_personal_fields import showable
from oncehub.cli.naming import named_stream, named_streams, note_disclosure
from oncehub.cli.options import Json, ShowPersonalData, SourceName
from oncehub.cli.output import show, write_json
from oncehub.intake.quarantine.replay import list_rejected, replay, show_rejected
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("id", "stream", "where", "reason", "received_at")
_REPLAYED = ("stream", "tried", "landed", "outdated", "rejected")


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="source or source.stream; all unless given.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, the newest first.")] = 100,
    as_json: Json = False,
) -> None:
    """List rejected records with place, time and reason, without their content."""
    settings = load_settings()
    source, _, stream = (name or "").partition(".")
    if name:
        named_streams(settings, name)
    with opened(settings) as connection:
        rows = list_rejected(
            connection, source or None, stream or None, include_resolved=everything, limit=limit
        )
    content = [dataclasses.asdict(row) for row in rows]
    if not as_json:
        content = [_brief(row) for row in content]
    columns = (*_COLUMNS, "resolved_at") if everything else _COLUMNS
    show(content, title="quarantine", columns=columns, as_json=as_json)
    if not as_json and len(rows) == limit:
        sys.stdout.write(f"the newest {limit} only; more with --limit\n")


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "id": row["rejected_id"],
        "where": f"{row['stage']} {row['path']}",
    }


@app.command("show")
def show_one(
    rejected_id: Annotated[int, typer.Argument(help="Number, as shown by `oncehub quarantine list`.")],
    show_personal_data: ShowPersonalData = False,
) -> None:
    """Decrypt and print one rejected record, values masked; it needs the key that encrypted the record."""
    settings = load_settings()
    with opened(settings) as connection:
        found = show_rejected(settings, connection, rejected_id)
    if show_personal_data:
        note_disclosure(settings, "quarantine show", found.source, found.stream, 1)
        payload = found.payload
    else:
        connector, stream = named_stream(settings, f"{found.source}.{found.stream}")
        payload = masked(found.payload, showable(settings, connector, stream))
    write_json(payload)


@app.command("replay")
def replay_(
    name: SourceName,
    ids: Annotated[
        list[int] | None, typer.Option("--id", help="Only this rejected record; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check rejected records against the present contract and mapping, and land those that pass."""
    settings = load_settings()
    connector, streams = named_streams(settings, name)
    rows = [
        {
            "stream": f"{connector.source}.{stream}",
            **dataclasses.asdict(replay(settings, connector, stream, ids=ids)),
        }
        for stream in streams
    ]
    show(rows, title="replayed", columns=_REPLAYED, as_json=as_json)
