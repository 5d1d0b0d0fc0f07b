"""`oncehub quarantine`: what was refused, why, and how to land it after a fix."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import orjson
import typer

from oncehub.anonymisation import masked, showable
from oncehub.cli.naming import ShowPersonalData, SourceName, named_stream, named_streams, note_disclosure
from oncehub.cli.output import Json, show, write_json
from oncehub.intake.quarantine.replay import list_rejected, replay, show_rejected
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True, help="Rejected records: list, show, replay after a fix.")

_COLUMNS = ("id", "stream", "where", "reason", "received_at")
_REPLAYED = ("stream", "tried", "landed", "outdated", "rejected")


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="source or source.stream; all when left out.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that were resolved since, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 100,
    as_json: Json = False,
) -> None:
    """List rejected records: where, when and why, without what they say."""
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
        "stream": f"{row['source']}.{row['stream']}",
        "where": f"{row['stage']} {row['path']}",
    }


@app.command("show")
def show_one(
    rejected_id: Annotated[int, typer.Argument(help="As `oncehub quarantine list` tells it.")],
    show_personal_data: ShowPersonalData = False,
) -> None:
    """Decrypt one rejected record, which needs its key in the ring, and print it, values masked."""
    settings = load_settings()
    with opened(settings) as connection:
        found = show_rejected(settings, connection, rejected_id)
    if show_personal_data:
        note_disclosure(settings, "quarantine show", found.source, found.stream, 1)
    if show_personal_data:
        payload = found.payload
    else:
        connector, stream = named_stream(settings, f"{found.source}.{found.stream}")
        payload = masked(found.payload, showable(settings, connector, stream))
    sys.stdout.buffer.write(orjson.dumps(payload, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


@app.command("replay")
def replay_(
    name: SourceName,
    ids: Annotated[list[int] | None, typer.Option("--id", help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """Put rejected records through today's contract and mapping, and land what passes."""
    settings = load_settings()
    connector, streams = named_streams(settings, name)
    rows = [
        {
            "stream": f"{connector.source}.{stream}",
            **dataclasses.asdict(replay(settings, connector, stream, ids=ids)),
        }
        for stream in streams
    ]
    if as_json:
        write_json(rows)
    else:
        show(rows, title="replayed", columns=_REPLAYED, as_json=False)
