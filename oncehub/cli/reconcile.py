"""`oncehub reconcile`: links records, updates golden records, and verifies the balance of a run."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from oncehub.cli.options import Json
from oncehub.cli.output import show, show_one, write_json
from oncehub.reconcile.run import mark_all
from oncehub.reconcile.run import reconcile as reconcile_records
from oncehub.reconcile.run_balance import BalanceLine, CountMismatch, RunBalance, recount, run_balance_of
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

_COLUMNS = ("source", "kind", "opening", "added", "removed", "changed", "closing")

# For each subject: the title of its table, and its own names of columns.
_TABLES = {
    "discrepancy": ("discrepancies", {"added": "opened", "removed": "closed"}),
    "record": ("records that describe a person", {"kind": "linked by"}),
}

app = typer.Typer(invoke_without_command=True)

_DIFFERENCES = ("subject", "source", "kind", "booked", "counted")


@app.callback()
def reconcile(
    context: typer.Context,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Reconcile every record again; other rules do so by themselves.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Link new records to people, update golden records and discrepancies."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    if every:
        with opened(settings) as connection:
            mark_all(connection)
    report = reconcile_records(settings)
    if report.rules_changed:
        sys.stderr.write("the rules changed since the last run: every record was reconciled again\n")
    show_one(report, title="reconciled", as_json=as_json)


@app.command("verify")
def verify(
    run: Annotated[int | None, typer.Option(help="Number of the run; the last run unless given.")] = None,
    *,
    is_recounted: Annotated[
        bool, typer.Option("--recount", help="Count the tables too, and list the differences.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the balance of a run: opening count, added, removed, closing count; status 1 if it is wrong."""
    with opened(load_settings()) as connection, connection, connection.cursor() as cursor:
        report = run_balance_of(cursor, run)
        differences = recount(cursor) if is_recounted else None
    if as_json:
        write_json(_document(report, differences))
    else:
        _show(report, differences)
    if differences or not report.adds_up:
        raise typer.Exit(1)


def _document(report: RunBalance, differences: list[CountMismatch] | None) -> dict[str, Any]:
    document = dataclasses.asdict(report) | {
        "adds_up": report.adds_up,
        "totals": [dataclasses.asdict(total) for total in report.totals],
    }
    return document if differences is None else document | {"differences": differences}


def _show(report: RunBalance, differences: list[CountMismatch] | None) -> None:
    for subject, (title, names) in _TABLES.items():
        rows = [
            {names.get(column, column): getattr(line, column) for column in _COLUMNS}
            for line in _with_totals(report, subject)
        ]
        show(rows, title=title, columns=[names.get(column, column) for column in _COLUMNS])
    if differences:
        show(differences, title="differences from the tables", columns=_DIFFERENCES)
    elif differences is not None:
        sys.stdout.write("recounted: the tables agree\n")
    outcome = "adds up" if report.adds_up else "DOES NOT ADD UP"
    sys.stdout.write(f"run {report.run_id}, closed {report.closed_at:%Y-%m-%d %H:%M:%S}: {outcome}\n")
    for line in report.lines:
        if not line.adds_up:
            sys.stdout.write(f"{line.subject} {line.source} {line.kind}: {line.unexplained:,} unexplained\n")


def _with_totals(report: RunBalance, subject: str) -> Iterator[BalanceLine]:
    """Yield the lines of a subject, each source followed by its total."""
    for total in report.totals:
        if total.subject == subject:
            yield from (
                line for line in report.lines if (line.subject, line.source) == (subject, total.source)
            )
            yield total
