"""`oncehub discrepancies`: differences between source values and golden values."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from oncehub.anonymisation.anonymiser import masked, masked_text
from oncehub.anonymisation.non_personal_fields import shown_values
from oncehub.cli.naming import note_disclosure
from oncehub.cli.options import Json, ShowPersonalData
from oncehub.cli.output import show, show_one, write_json
from oncehub.config.catalogue import load_connector
from oncehub.config.entities import load_entities
from oncehub.config.rules import DiscrepancyKind, Severity
from oncehub.errors import ConfigError
from oncehub.reconcile.discrepancies.listing import (
    Discrepancy,
    Wanted,
    list_closed,
    list_open,
    show_discrepancy,
)
from oncehub.settings import Settings, load_settings
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

_OPEN = ("id", "stream", "attribute", "kind", "severity", "days", "person")
_CLOSED = ("id", "stream", "attribute", "kind", "closed_because", "days", "person")


@app.command("list")
def list_(
    source: Annotated[
        str | None, typer.Argument(help="Only records of this source; all unless given.")
    ] = None,
    *,
    kind: Annotated[DiscrepancyKind | None, typer.Option(help="Only this kind.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only this severity, as of today.")] = None,
    person: Annotated[UUID | None, typer.Option(help="Only about the person with this key.")] = None,
    days: Annotated[int, typer.Option(min=0, help="Only those open for at least this many days.")] = 0,
    closed: Annotated[
        bool, typer.Option("--closed", help="Closed ones, with the reason and the days until then.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many.")] = 100,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """List open discrepancies, the most severe and oldest first, or closed ones, the latest first."""
    if closed and severity:
        raise ConfigError("a closed discrepancy has no severity; leave --severity or --closed out")
    settings = load_settings()
    if source:
        load_connector(settings, source)
    wanted = Wanted(source, kind, severity, person, timedelta(days=days))
    with opened(settings) as connection:
        found = (list_closed if closed else list_open)(connection, wanted, limit=limit)
    found = _disclosed(settings, found, "discrepancies list", show_personal_data)
    if as_json:
        write_json([_document(each) for each in found])
        return
    show(
        [_row(each) for each in found],
        title="closed discrepancies" if closed else "open discrepancies",
        columns=_CLOSED if closed else _OPEN,
    )
    if len(found) == limit:
        sys.stdout.write(f"the first {limit} only; more with --limit\n")


@app.command("show")
def show_(
    discrepancy_id: Annotated[int, typer.Argument(help="Number, as shown by `oncehub discrepancies list`.")],
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Show the source value, the golden value and the outcome of a discrepancy; values are masked."""
    settings = load_settings()
    with opened(settings) as connection:
        found = show_discrepancy(connection, discrepancy_id)
    (shown,) = _disclosed(settings, [found], "discrepancies show", show_personal_data)
    if as_json:
        write_json(_document(shown))
    else:
        show_one(_flat(_document(shown)), title=f"discrepancy {discrepancy_id}")


def _disclosed(
    settings: Settings, found: list[Discrepancy], command: str, show_personal_data: bool
) -> list[Discrepancy]:
    """Mask values, and keys, which at some sources are a number of the person; or log the disclosure."""
    if show_personal_data:
        for (source, stream), records in Counter((each.source, each.stream) for each in found).items():
            note_disclosure(settings, command, source, stream, records)
        return found
    shown = shown_values(load_entities(settings.schemas)["person"])
    return [
        replace(
            each,
            source_key=masked_text(each.source_key),
            source_value=masked(each.source_value, shown, each.attribute),
            golden_value=masked(each.golden_value, shown, each.attribute),
        )
        for each in found
    ]


def _row(found: Discrepancy) -> dict[str, Any]:
    return asdict(found) | {
        "id": found.discrepancy_id,
        "days": found.age.days,
        "person": found.person_key,
    }


def _document(found: Discrepancy) -> dict[str, Any]:
    document = asdict(found)
    age = document.pop("age")
    return document | {"days": round(age / timedelta(days=1), 3)}


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """Write each composite value in one line."""
    return document | {
        name: ", ".join(str(part) for part in value.values() if part is not None)
        for name, value in document.items()
        if isinstance(value, dict)
    }
