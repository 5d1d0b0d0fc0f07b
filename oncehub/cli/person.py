"""`oncehub person`: what is believed of somebody, why, and what was believed before."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from oncehub.authoring.masking import masked, masked_text, shown_values
from oncehub.cli.naming import ShowPersonalData, note_disclosure
from oncehub.cli.output import Json, show, write_json
from oncehub.model.entities import load_entities
from oncehub.model.settings import Settings, load_settings
from oncehub.reconcile.explain import Candidate, Choice, Explanation, explain

app = typer.Typer(no_args_is_help=True, help="One person: what is believed, and why.")

PersonKey = Annotated[
    UUID,
    typer.Argument(
        metavar="KEY",
        help="The person's key in the hub, as `oncehub link show` tells it.",
    ),
]
Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", help="Only this attribute; may be repeated.")
]
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
_LOCAL: Final = ZoneInfo("Asia/Ho_Chi_Minh")

_CANDIDATE: Final = (
    "record",
    "value",
    "stated_at",
    "trust",
    "half_life",
    "faded",
    "doubted",
    "weight",
    "outcome",
)

_WON: Final = {
    "authority": "the authority on it",
    "only_word": "nobody else with a say states one",
    "weight": "weighs most",
    "later": "stated last of those that weigh most",
    "named_first": "named first of those that weigh as much and were stated at the same time",
    "lower_key": "has the lowest key of those that weigh as much and were stated at the same time",
    "not_kept": "stated anew since; what it was weighed against then is not kept",
}
_LOST: Final = {
    "no_say": "has no say",
    "not_weighed": "not weighed yet: came after the last run",
    "silent": "states none any more",
    "deleted": "deleted",
    "elsewhere": "speaks of somebody else now",
    "weight": "weighs less",
    "later": "stated earlier",
    "named_first": "named later in the rule",
    "lower_key": "higher key",
}
_LIKENESS: Final = {"same": "the same value", "form": "differs only in form", "different": ""}


@app.command("explain")
def explain_(
    key: PersonKey,
    attributes: Attributes = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=_FORMATS, help="An earlier moment; without zone, by Vietnam's clock."),
    ] = None,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Tell on whose word each attribute is believed, why, and why other words are not; values masked."""
    settings = load_settings()
    explanation = explain(settings, key, attributes or (), _moment(at))
    if show_personal_data:
        note_disclosure(settings, "person explain", "truth", "person", 1)
    else:
        explanation = _masked(settings, explanation)
    if as_json:
        write_json(asdict(explanation))
        return
    if explanation.unsettled:
        sys.stdout.write("something has changed that no run has weighed yet; run `oncehub reconcile`\n")
    for choice in explanation.choices:
        if len(choice.candidates) > 1 or choice.won not in ("authority", "only_word"):
            rows = [_row(candidate) for candidate in choice.candidates]
            show(rows, title=_told(choice), columns=_CANDIDATE, as_json=False)
        else:
            sys.stdout.write(f"{_told(choice)}\n\n")


def _moment(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=_LOCAL) if at and at.tzinfo is None else at


def _told(choice: Choice) -> str:
    origin = choice.origin
    if origin is None:
        return f"{choice.attribute}: nothing is believed"
    record = f"{origin.source}.{origin.stream} {origin.source_key}"
    doubt = ", in doubt" if origin.doubtful else ""
    return (
        f"{choice.attribute}: {_written(choice.value)}\n"
        f"on the word of {record} as of {origin.as_of:%Y-%m-%d}{doubt}, since {choice.since:%Y-%m-%d}: "
        f"{_WON[choice.won or 'not_kept']}"
    )


def _row(candidate: Candidate) -> dict[str, Any]:
    told = [_LOST[candidate.lost] if candidate.lost else "believed"]
    if candidate.lost and (likeness := _LIKENESS[candidate.likeness]):
        told.append(likeness)
    weight = candidate.weight
    doubts = f" ({', '.join(candidate.doubts)})" if candidate.doubts else ""
    return {
        "record": f"{candidate.source}.{candidate.stream} {candidate.source_key}",
        "value": _written(candidate.value),
        "stated_at": f"{candidate.stated_at:%Y-%m-%d}, {candidate.age_days:,.0f} days",
        "trust": weight and weight.trust,
        "half_life": weight and f"{weight.half_life_days:.0f} days",
        "faded": weight and weight.faded,
        "doubted": weight and f"{weight.doubted:g}{doubts}",
        "weight": weight and weight.value,
        "outcome": "; ".join(told),
    }


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(str(part) for part in value.values() if part is not None)
    return str(value)


def _masked(settings: Settings, explanation: Explanation) -> Explanation:
    """Values and the keys of records, which are numbers of the person at some sources."""
    shown = shown_values(load_entities(settings.schemas)["person"])
    return replace(
        explanation, choices=tuple(_masked_choice(choice, shown) for choice in explanation.choices)
    )


def _masked_choice(choice: Choice, shown: set[str]) -> Choice:
    name, origin = choice.attribute, choice.origin
    return replace(
        choice,
        value=masked(choice.value, shown, name),
        origin=origin and replace(origin, source_key=masked_text(origin.source_key)),
        candidates=tuple(
            replace(each, value=masked(each.value, shown, name), source_key=masked_text(each.source_key))
            for each in choice.candidates
        ),
    )
