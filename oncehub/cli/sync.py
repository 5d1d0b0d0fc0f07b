"""`oncehub sync`: reads sources and lands their records."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from oncehub.cli.naming import named_streams, note_disclosure
from oncehub.cli.options import Json, ShowPersonalData
from oncehub.cli.output import show, write_json
from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_environment
from oncehub.config.connector import Connector
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError
from oncehub.intake.completeness.audit import AuditReport, named
from oncehub.intake.runs.backfill import window_asked
from oncehub.intake.runs.cursor import changes_of
from oncehub.intake.runs.run import RunReport
from oncehub.intake.sync import audit_source
from oncehub.intake.sync import sync as sync_source
from oncehub.logs import FORM
from oncehub.settings import Settings, load_settings

_AUDITED = (
    *("stream", "declared", "listed", "landed", "rejected", "missing", "outdated", "superfluous"),
    *("keyless", "unlisted"),
)
_COLUMNS = ("stream", "mode", "read", "accepted", "unchanged", "quarantined", "deleted")


def sync(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources, or source.stream; all sources unless given.")
    ] = None,
    stream: Annotated[list[str] | None, typer.Option(help="Only these streams.")] = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Read everything, not only what changed.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Start of a window to read again: a time, or a sequence number.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="End of that window; the stream's cursor does not move.")
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Then compare all keys with the source's; status 1 if any differ.")
    ] = False,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Read sources and land their records.

    Credentials come from the environment variables ONCEHUB_CONN_<SOURCE>.
    """
    if full and (since or until):
        raise ConfigError("--full reads everything; leave --since and --until out")
    settings = load_settings()
    named = [(name, *named_streams(settings, name)) for name in sources or load_connectors(settings)]
    reports: list[RunReport] = []
    audits: list[AuditReport] = []
    with _progress() as progress:
        listener = _RunProgress(progress)
        for name, connector, found in named:
            only = stream or (found if "." in name else None)
            submitted = only is not None and connector.submitted.keys() >= set(only)
            connection = None if submitted else connection_from_environment(connector.source)
            for streams, window in _windows(connector, only, since, until):
                reports += sync_source(
                    settings,
                    connector,
                    connection,
                    streams=streams,
                    full=full,
                    backfill=window,
                    report=listener,
                )
            if audit and connection:
                audits += audit_source(settings, connector, connection, streams=only)
    if audit:
        _show_audits(settings, reports, audits, personal=show_personal_data, as_json=as_json)
        raise typer.Exit(0 if all(each.complete for each in audits) else 1)
    show(reports, title="landed", columns=_COLUMNS, as_json=as_json)


def _show_audits(
    settings: Settings,
    reports: list[RunReport],
    audits: list[AuditReport],
    *,
    personal: bool,
    as_json: bool,
) -> None:
    """Show what landed and how it compares; keys only where their disclosure is recorded."""
    if personal:
        for each in audits:
            note_disclosure(
                settings, "sync --audit", each.source, each.stream, sum(map(len, each.keys.values()))
            )
    found = [asdict(each) | {"keys": each.keys if personal else {}} for each in audits]
    if as_json:
        write_json({"landed": reports, "audited": found})
        return
    show(reports, title="landed", columns=_COLUMNS)
    show(found, title="audited", columns=_AUDITED)
    if personal:
        sys.stdout.write("".join(f"{line}\n" for each in audits for line in named(each)))


def _windows(
    connector: Connector, streams: list[str] | None, since: str | None, until: str | None
) -> Iterator[tuple[list[str] | None, Window | None]]:
    """Yield the streams to read together: all of them, or with a window each stream that has changes."""
    if since is None and until is None:
        yield streams, None
        return
    for stream in streams or [name for name in connector.streams if changes_of(connector, name)]:
        if stream not in connector.landed:
            raise ConfigError(f"{connector.source} has no stream {stream!r}")
        yield [stream], window_asked(connector, stream, since, until)


class _Speed(ProgressColumn):
    """Records a second, and the seconds left where the source declares its number of records."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        text = f"{speed:,.0f}/s" if speed else ""
        if task.total and not task.finished and task.time_remaining is not None:
            text += f", {task.total - task.completed:,.0f} left, {task.time_remaining:,.0f} s"
        return Text(text)


def _progress() -> Progress:
    """Return a display on stderr; stdout is left to what a script reads."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} records"),
        _Speed(),
        TimeElapsedColumn(),
        # Lines of JSON are for machines: nothing else stands between them.
        disable=os.environ.get(FORM) == "json",
        console=Console(stderr=True),
    )


class _RunProgress:
    """Shows the running totals of each run on a line of its own."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[int, TaskID] = {}

    def __call__(self, run: RunReport) -> None:
        """Update the line of a run."""
        if run.run_id not in self._tasks:
            self._tasks[run.run_id] = self._progress.add_task(f"{run.source}.{run.stream}", total=None)
        total = run.read if run.done else run.total
        self._progress.update(self._tasks[run.run_id], completed=run.read, total=total)
