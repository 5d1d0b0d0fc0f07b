"""`oncehub person`: what is believed of somebody, why, and what was believed before."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from oncehub.anonymisation import masked, masked_text, shown_values
from oncehub.cli.naming import ShowPersonalData, note_disclosure
from oncehub.cli.output import Json, show, write_json
from oncehub.clock import VIETNAM
from oncehub.config.entities import load_entities
from oncehub.reconcile.survivorship.explain import Candidate, Choice, Explanation, explain
from oncehub.reconcile.survivorship.history import Origin
from oncehub.reconcile.survivorship.past import History, Past, history
from oncehub.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, help="One person: what is believed, why, and who is one with whom.")

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
FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]

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

_BELIEVED: Final = ("attribute", "value", "record", "as_of", "believed_from", "believed_until")
_TRUE: Final = ("attribute", "value", "true_from", "true_until")

_WON: Final = {
    "authority": "the authority on it",
    "only_word": "nobody else with a say states one",
    "weight": "weighs most",
    "later": "stated last of those that weigh most",
    "named_first": "named first of those that weigh as much and were stated at the same time",
    "lower_key": "has the lowest key of those that weigh as much and were stated at the same time",
    "not_kept": "the record was stated anew since, so what it weighed is not kept",
}
_LOST: Final = {
    "no_say": "has no say",
    "not_weighed": "not weighed: came after the run",
    "silent": "states none any more",
    "replaced": "stated anew since",
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
        typer.Option(formats=FORMATS, help="An earlier moment; without zone, by Vietnam's clock."),
    ] = None,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Tell on whose word each attribute is believed, why, and why other words are not; values masked."""
    settings = load_settings()
    explanation = explain(settings, key, attributes or (), moment(at))
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


@app.command("history")
def history_(
    key: PersonKey,
    attributes: Attributes = None,
    *,
    believed_at: Annotated[
        datetime | None,
        typer.Option(
            formats=FORMATS, help="Only what was believed at this moment; without zone, by Vietnam's clock."
        ),
    ] = None,
    true_on: Annotated[
        datetime | None, typer.Option(formats=FORMATS[:1], help="Only what was true on this day.")
    ] = None,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Tell what was believed, when, and what was true, when; values masked."""
    settings = load_settings()
    day = true_on.date() if true_on else None
    past = history(settings, key, attributes or (), believed_at=moment(believed_at), true_on=day)
    if show_personal_data:
        note_disclosure(settings, "person history", "truth", "person", 1)
    else:
        past = _masked_past(settings, past)
    if as_json:
        write_json(asdict(past))
        return
    if not day:
        show(list(_believed(past)), title="believed", columns=_BELIEVED, as_json=False)
    show(list(_true(past)), title="true", columns=_TRUE, as_json=False)


def moment(at: datetime | None) -> datetime | None:
    """Return a moment that was given at the command line: by Vietnam's clock where it has no zone."""
    return at.replace(tzinfo=VIETNAM) if at and at.tzinfo is None else at


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
        origin=origin and _masked_origin(origin),
        candidates=tuple(
            replace(each, value=masked(each.value, shown, name), source_key=masked_text(each.source_key))
            for each in choice.candidates
        ),
    )


def _believed(past: History) -> Iterator[dict[str, Any]]:
    for name, told in past.attributes.items():
        for belief in told.beliefs:
            origin = belief.origin
            yield {
                "attribute": name,
                "value": _written(belief.value),
                "record": f"{origin.source}.{origin.stream} {origin.source_key}",
                "as_of": f"{origin.as_of:%Y-%m-%d}",
                "believed_from": belief.believed_from,
                "believed_until": belief.believed_until,
            }


def _true(past: History) -> Iterator[dict[str, Any]]:
    for name, told in past.attributes.items():
        for period in told.periods:
            yield {"attribute": name, **asdict(period), "value": _written(period.value)}


def _masked_past(settings: Settings, past: History) -> History:
    shown = shown_values(load_entities(settings.schemas)["person"])
    return replace(
        past, attributes={name: _masked_told(name, told, shown) for name, told in past.attributes.items()}
    )


def _masked_told(name: str, told: Past, shown: set[str]) -> Past:
    return Past(
        tuple(
            replace(each, value=masked(each.value, shown, name), origin=_masked_origin(each.origin))
            for each in told.beliefs
        ),
        tuple(replace(each, value=masked(each.value, shown, name)) for each in told.periods),
    )


def _masked_origin(origin: Origin) -> Origin:
    return replace(origin, source_key=masked_text(origin.source_key))
