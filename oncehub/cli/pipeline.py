"""`oncehub init`, `sync`, `reconcile`, `publish`, `status`: the nightly steps by hand."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import typer
from psycopg2.extras import RealDictCursor
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

import oncehub.intake as intake_step
import oncehub.reconcile as reconcile_step
import oncehub.share as share_step
from oncehub.cli.output import Json, show, show_one
from oncehub.intake import RunReport
from oncehub.model.catalogue import load_connector, load_connectors
from oncehub.model.connection import connection_from_environment
from oncehub.model.settings import load_settings
from oncehub.store.connection import opened
from oncehub.store.migrate import initialise

_RUN_COLUMNS = ("stream", "mode", "read", "accepted", "unchanged", "quarantined", "deleted")

_STATUS = """
select distinct on (source, stream)
    source, stream, mode, state, started_at, read, accepted, unchanged, quarantined, deleted,
    position as cursor, error
from intake.run left join intake.cursor using (source, stream)
order by source, stream, run_id desc
"""


def init() -> None:
    """Bring the database to the form this version needs; safe to repeat."""
    applied = initialise(load_settings())
    sys.stdout.write(f"{len(applied)} migrations applied\n" if applied else "the database is up to date\n")


def sync(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources to read; all when none is named.")
    ] = None,
    stream: Annotated[list[str] | None, typer.Option(help="Only these streams.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything, not only what changed.")] = False,
    as_json: Json = False,
) -> None:
    """Read sources and land what they state; credentials come from ONCEHUB_CONN_<SOURCE>."""
    settings = load_settings()
    connectors = [load_connector(settings, name) for name in sources or load_connectors(settings)]
    reports: list[RunReport] = []
    with _progress() as progress:
        for connector in connectors:
            connection = connection_from_environment(connector.source)
            reports += intake_step.sync(
                settings, connector, connection, streams=stream, full=full, report=_Shown(progress)
            )
    rows = [dataclasses.asdict(run) for run in reports]
    show(_full_names(rows, as_json), title="landed", columns=_RUN_COLUMNS, as_json=as_json)


def reconcile(as_json: Json = False) -> None:
    """Link, believe and compare what has landed since the last time."""
    report = reconcile_step.reconcile(load_settings())
    show_one(report, title="reconciled", as_json=as_json)


def publish(
    feeds: Annotated[
        list[str] | None, typer.Argument(help="Feeds to publish; all when none is named.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring feeds up to what is believed now."""
    settings = load_settings()
    names = feeds or [
        agreement.feed for agreement in share_step.load_agreements(settings).values() if agreement.feed
    ]
    reports = [share_step.publish(settings, name) for name in names]
    show(reports, title="published", columns=("feed", "changes", "last_sequence", "seconds"), as_json=as_json)


def status(as_json: Json = False) -> None:
    """Show the last run of every stream."""
    with opened(load_settings()) as connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_STATUS)
        rows = [dict(row) for row in cursor.fetchall()]
    columns = ("stream", "state", "started_at", "read", "cursor", "error")
    show(_full_names(rows, as_json), title="last runs", columns=columns, as_json=as_json)


def _full_names(rows: list[dict[str, Any]], as_json: bool) -> list[dict[str, Any]]:
    """For a person's table, name each stream with its source; scripts get both apart."""
    if as_json:
        return rows
    return [row | {"stream": f"{row['source']}.{row['stream']}"} for row in rows]


class _Shown:
    """Shows the running total of each stream on a line of its own."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[int, TaskID] = {}

    def __call__(self, run: RunReport) -> None:
        if run.run_id not in self._tasks:
            self._tasks[run.run_id] = self._progress.add_task(f"{run.source}.{run.stream}", total=None)
        task = self._tasks[run.run_id]
        self._progress.update(task, completed=run.read, total=run.read if run.done else None)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} records"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
