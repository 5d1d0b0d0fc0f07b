"""`oncehub procedures`: procedures, their forms, and how much of each form the hub fills."""

from __future__ import annotations

import dataclasses
import sys
from datetime import date, datetime
from typing import Annotated, Any

import typer

from oncehub.cli.options import DAY, Json
from oncehub.cli.output import show, write_json
from oncehub.config.procedures import Item, Procedure
from oncehub.errors import ConfigError
from oncehub.settings import load_settings
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.procedures import load_procedures, named
from oncehub.share.coverage.measure import Coverage, history, measure
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="Code of a procedure, as shown by `oncehub procedures list`.")]
Day = Annotated[
    datetime | None,
    typer.Option("--on", formats=DAY, help="Day of the dossier; today unless given."),
]

_LISTED = ("service", "procedure", "name", "owner", "form", "items")
_SHOWN = ("item", "from", "of", "confirm", "max_age", "title")
_COVERAGE = ("procedure", "agreement", "people", "items", "filled", "confirm", "papers", "missing", "covered")


@app.command("list")
def list_(on: Day = None, as_json: Json = False) -> None:
    """List the procedures, with the version of each form that is in use on a day."""
    day = on.date() if on else today()
    rows = [
        _listed(each, day)
        for each in sorted(load_procedures(load_settings()).values(), key=lambda each: each.service)
    ]
    show(rows, title="procedures", columns=_LISTED, as_json=as_json)


@app.command("show")
def show_one(code: Code, on: Day = None, as_json: Json = False) -> None:
    """Show the items of a procedure's form on a day, and where each value comes from."""
    day = on.date() if on else today()
    procedure = named(load_procedures(load_settings()), code)
    if procedure is None:
        raise ConfigError(f"there is no procedure {code!r}; see: oncehub procedures list")
    rows = [_shown(name, item) for name, item in procedure.items_on(day).items()]
    if as_json:
        write_json({**_listed(procedure, day), "items": rows})
        return
    form = procedure.form_on(day)
    title = (
        f"{procedure.id}  {procedure.name.vi}: {f'{form.name}, {form.text}' if form else f'no form on {day}'}"
    )
    show(rows, title=title, columns=_SHOWN)


@app.command("coverage")
def coverage(
    *,
    procedure: Annotated[str | None, typer.Option(help="Only this procedure, item by item.")] = None,
    agreement: Annotated[
        str | None, typer.Option(help="Only this agreement; all in force unless given.")
    ] = None,
    province: Annotated[
        str | None, typer.Option(help="Only people who live in this province: 2-digit code of 2025.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Measure at most this many people, by hashed key.")
    ] = None,
    is_history: Annotated[bool, typer.Option("--history", help="Show the figures of past days.")] = False,
    as_json: Json = False,
) -> None:
    """Show the share of form items that the hub fills, over all people that an agreement covers."""
    settings = load_settings()
    if is_history and (province or sample):
        raise ConfigError("the history covers all people; leave --province and --sample out")
    with opened(settings) as connection:
        if is_history:
            found = history(connection, agreement=agreement, procedure=procedure)
        else:
            found = measure(
                settings,
                connection,
                agreement=agreement,
                procedure=procedure,
                province=province,
                sample=sample,
            )
    if as_json:
        write_json([_as_json(each) for each in found])
        return
    columns = ("day", *_COVERAGE) if is_history else _COVERAGE
    show([_row(each) for each in found], title="coverage", columns=columns)
    if procedure and not is_history:
        for each in found:
            _show_items(each)
    sys.stdout.write(_reasons(found))


def _listed(procedure: Procedure, day: date) -> dict[str, Any]:
    form = procedure.form_on(day)
    return {
        "service": procedure.service,
        "procedure": procedure.id,
        "code": procedure.code,
        "name": procedure.name.vi,
        "owner": procedure.owner,
        "form": form.name if form else None,
        "legal": form.text if form else None,
        "on": day.isoformat(),
        "items": len(procedure.items_on(day)),
    }


def _shown(name: str, item: Item) -> dict[str, Any]:
    return {
        "item": name,
        "from": ", ".join(item.fills) or "citizen",
        "of": item.of,
        "confirm": item.confirm,
        "max_age": item.max_age and f"{item.max_age.days} days",
        "title": item.title.vi,
    }


def _as_json(each: Coverage) -> dict[str, Any]:
    return {**dataclasses.asdict(each), "share": each.share}


def _row(each: Coverage) -> dict[str, Any]:
    return dataclasses.asdict(each) | {
        "missing": sum(each.missing.values()),
        "covered": "" if each.share is None else f"{each.share:.1%}",
    }


def _show_items(each: Coverage) -> None:
    answers = sorted({answer for counts in each.by_item.values() for answer in counts})
    rows = [{"item": name, **counts} for name, counts in each.by_item.items()]
    show(rows, title=f"{each.procedure} under {each.agreement}, people by item", columns=("item", *answers))


def _reasons(found: list[Coverage]) -> str:
    total: dict[str, int] = {}
    for each in found:
        for reason, count in each.missing.items():
            total[reason] = total.get(reason, 0) + count
    counts = ", ".join(f"{reason} {count:,}" for reason, count in sorted(total.items()))
    return f"missing: {counts}\n" if counts else ""
