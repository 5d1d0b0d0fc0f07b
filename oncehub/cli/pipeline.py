"""`oncehub init`, `sync`, `reconcile`, `publish`, `status`: the nightly steps by hand."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from psycopg2.extras import RealDictCursor

import oncehub.intake as intake_step
import oncehub.reconcile as reconcile_step
import oncehub.share as share_step
from oncehub.cli.naming import named_streams
from oncehub.cli.output import Json, show, show_one
from oncehub.cli.progress import RunsShown, reading_progress
from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_environment
from oncehub.config.connector import Connector
from oncehub.connect import Window
from oncehub.errors import ConfigError
from oncehub.initialise import initialise
from oncehub.intake import RunReport
from oncehub.intake.runs.backfill import window_asked
from oncehub.intake.runs.cursor import changes_of
from oncehub.settings import Settings, load_settings
from oncehub.share.corrections.publish import PREFIX, feed_name
from oncehub.store.migrate import opened

_RUN_COLUMNS = ("stream", "mode", "read", "accepted", "unchanged", "quarantined", "deleted")

_STATUS = """
select distinct on (source, stream)
    source, stream, mode, state, started_at, read, accepted, unchanged, quarantined, deleted,
    position, sequence, error
from intake.run left join intake.cursor using (source, stream)
order by source, stream, run_id desc
"""


def init() -> None:
    """Bring the database to the form this version needs; safe to repeat."""
    settings = load_settings()
    applied = initialise(settings)
    share_step.apply_agreements(settings)
    sys.stdout.write(f"{len(applied)} SQL files applied\n" if applied else "the database is up to date\n")


def sync(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources, or source.stream; all when none is named.")
    ] = None,
    stream: Annotated[list[str] | None, typer.Option(help="Only these streams.")] = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Read everything, not only what changed.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Read a bounded window again: from here (a time, or a sequence number)")
    ] = None,
    until: Annotated[str | None, typer.Option(help="... to here; the nightly cursor stays.")] = None,
    as_json: Json = False,
) -> None:
    """Read sources and land what they state or submitted; credentials come from ONCEHUB_CONN_<SOURCE>."""
    if full and (since or until):
        raise ConfigError("--full reads everything; leave --since and --until out")
    settings = load_settings()
    named = [(name, *named_streams(settings, name)) for name in sources or load_connectors(settings)]
    reports: list[RunReport] = []
    with reading_progress() as progress:
        shown = RunsShown(progress)
        for name, connector, found in named:
            only = stream or (found if "." in name else None)
            submitted = only is not None and connector.submitted.keys() >= set(only)
            connection = None if submitted else connection_from_environment(connector.source)
            for streams, window in _asked(connector, only, since, until):
                reports += intake_step.sync(
                    settings,
                    connector,
                    connection,
                    streams=streams,
                    full=full,
                    backfill=window,
                    report=shown,
                )
    rows = [dataclasses.asdict(run) for run in reports]
    show(_full_names(rows, as_json), title="landed", columns=_RUN_COLUMNS, as_json=as_json)


def reconcile(as_json: Json = False) -> None:
    """Link, believe and compare what has landed since the last time."""
    report = reconcile_step.reconcile(load_settings())
    show_one(report, title="reconciled", as_json=as_json)


def publish(
    feeds: Annotated[
        list[str] | None,
        typer.Argument(help="Feeds, or corrections.SOURCE, to publish; all when none is named."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring feeds and correction notices up to what is believed now."""
    settings = load_settings()
    reports = [_published(settings, name) for name in feeds or _published_names(settings)]
    show(reports, title="published", columns=("feed", "changes", "last_sequence", "seconds"), as_json=as_json)


def status(as_json: Json = False) -> None:
    """Show the last run of every stream."""
    with opened(load_settings()) as connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_STATUS)
        rows = [_with_cursor(dict(row)) for row in cursor.fetchall()]
    columns = ("stream", "state", "started_at", "read", "quarantined", "cursor")
    named = _full_names(rows, as_json)
    show(named, title="last runs", columns=columns, as_json=as_json)
    if not as_json:
        # A column of its own would be too narrow to be read.
        sys.stdout.write("".join(f"{_named_error(row)}\n" for row in named if row["error"]))


def _named_error(row: dict[str, Any]) -> str:
    error: str = row["error"]
    return error if error.startswith(row["stream"]) else f"{row['stream']}: {error}"


def _with_cursor(row: dict[str, Any]) -> dict[str, Any]:
    """Give the stream's cursor, be it a time or a number, as one."""
    position, sequence = row.pop("position"), row.pop("sequence")
    return row | {"cursor": sequence if position is None else position}


def _full_names(rows: list[dict[str, Any]], as_json: bool) -> list[dict[str, Any]]:
    """For a person's table, name each stream with its source; scripts get both apart."""
    if as_json:
        return rows
    return [row | {"stream": f"{row['source']}.{row['stream']}"} for row in rows]


def _asked(
    connector: Connector, streams: list[str] | None, since: str | None, until: str | None
) -> Iterator[tuple[list[str] | None, Window | None]]:
    """Streams to read together: all, or one by one those that can be asked for the window."""
    if since is None and until is None:
        yield streams, None
        return
    for stream in streams or [name for name in connector.streams if changes_of(connector, name)]:
        if stream not in connector.landed:
            raise ConfigError(f"{connector.source} has no stream {stream!r}")
        yield [stream], window_asked(connector, stream, since, until)


def _published_names(settings: Settings) -> list[str]:
    agreements = share_step.load_agreements(settings).values()
    feeds = [agreement.feed for agreement in agreements if agreement.feed]
    return feeds + [feed_name(source) for source in share_step.corrected_sources(settings)]


def _published(settings: Settings, name: str) -> share_step.PublishReport:
    if name.startswith(PREFIX):
        return share_step.publish_corrections(settings, name.removeprefix(PREFIX))
    return share_step.publish(settings, name)
