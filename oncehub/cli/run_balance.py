"""`oncehub control`: whether the books of a run of reconcile add up."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from oncehub.cli.output import Json, show, write_json
from oncehub.reconcile import Control, Difference, Line, control_of, recount
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

# Of each subject, what its tables call the columns of a line.
_TABLES = {
    "discrepancy": (
        "discrepancies",
        {
            "source": "source",
            "kind": "kind",
            "before": "open before",
            "added": "opened",
            "removed": "closed",
            "turned": "turned",
            "standing": "open",
        },
    ),
    "record": (
        "records that speak of a person",
        {
            "source": "source",
            "kind": "linked by",
            "before": "before",
            "added": "came",
            "removed": "went",
            "turned": "turned",
            "standing": "now",
        },
    ),
}

_DIFFERENCES = ("subject", "source", "kind", "booked", "counted")


def control(
    run: Annotated[int | None, typer.Option(help="Number of a run; the last when left out.")] = None,
    *,
    recounted: Annotated[
        bool, typer.Option("--recount", help="Count the tables too, and name where the books say otherwise.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what stood before a run, came, went and stands; status 1 when it does not add up."""
    with opened(load_settings()) as connection, connection, connection.cursor() as cursor:
        report = control_of(cursor, run)
        differences = recount(cursor) if recounted else None
    if as_json:
        write_json(_document(report, differences))
    else:
        _show(report, differences)
    if differences or not report.adds_up:
        raise typer.Exit(1)


def _document(report: Control, differences: list[Difference] | None) -> dict[str, Any]:
    document = dataclasses.asdict(report) | {
        "adds_up": report.adds_up,
        "totals": [dataclasses.asdict(total) for total in report.totals],
    }
    return document if differences is None else document | {"differences": differences}


def _show(report: Control, differences: list[Difference] | None) -> None:
    for subject, (title, names) in _TABLES.items():
        rows = [_renamed(line, names) for line in _with_totals(report, subject)]
        show(rows, title=title, columns=tuple(names.values()), as_json=False)
    if differences:
        show(differences, title="the tables say otherwise", columns=_DIFFERENCES, as_json=False)
    elif differences is not None:
        sys.stdout.write("recounted: the tables say the same\n")
    told = "adds up" if report.adds_up else "DOES NOT ADD UP"
    sys.stdout.write(f"run {report.run_id}, signed off {report.signed_at:%Y-%m-%d %H:%M:%S}: {told}\n")
    for line in report.lines:
        if not line.adds_up:
            sys.stdout.write(f"{line.subject} {line.source} {line.kind}: {line.unexplained:,} unexplained\n")


def _with_totals(report: Control, subject: str) -> Iterator[Line]:
    """The lines of a subject, after those of each source their total."""
    for total in report.totals:
        if total.subject == subject:
            yield from (
                line for line in report.lines if (line.subject, line.source) == (subject, total.source)
            )
            yield total


def _renamed(line: Line, names: dict[str, str]) -> dict[str, Any]:
    return {shown: getattr(line, name) for name, shown in names.items()}
