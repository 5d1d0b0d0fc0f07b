"""`oncehub person`: explains the golden record of a person, shows its history, and merges people."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from oncehub.anonymisation.anonymiser import masked, masked_text
from oncehub.anonymisation.non_personal_fields import shown_values
from oncehub.cli import merges
from oncehub.cli.naming import note_disclosure
from oncehub.cli.options import DAY, MOMENT, Json, PersonKey, ShowPersonalData, moment
from oncehub.cli.output import show, write_json
from oncehub.config.entities import load_entities
from oncehub.reconcile.survivorship.explain import Candidate, Choice, Explanation, explain
from oncehub.reconcile.survivorship.history import History, Past, history
from oncehub.reconcile.survivorship.versions import Origin
from oncehub.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True)

Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", help="Only this attribute; may be repeated.")
]

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
    "only_word": "the only candidate",
    "weight": "has the greatest weight",
    "later": "the latest of the candidates with the greatest weight",
    "named_first": "comes first in the rule among candidates of the same weight and time",
    "lower_key": "has the lowest key among candidates of the same weight and time",
    "not_kept": "the record has changed since, so its weight is not kept",
}
_LOST: Final = {
    "no_say": "not in the rule",
    "not_weighed": "not considered: arrived after the run",
    "silent": "no longer states a value",
    "replaced": "changed since",
    "deleted": "deleted",
    "elsewhere": "linked to another person now",
    "weight": "has less weight",
    "later": "stated earlier",
    "named_first": "comes later in the rule",
    "lower_key": "higher key",
}
_LIKENESS: Final = {"same": "the same value", "form": "differs only in form", "different": ""}


@app.command("explain")
def explain_(
    key: PersonKey,
    attributes: Attributes = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=MOMENT, help="An earlier moment; Vietnam's time unless it has a zone."),
    ] = None,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Explain each golden value: its source, why it won and why the other candidates lost; masked."""
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
        sys.stdout.write("records have changed since the last run; run `oncehub reconcile`\n")
    for choice in explanation.choices:
        if len(choice.candidates) > 1 or choice.won not in ("authority", "only_word"):
            rows = [_row(candidate) for candidate in choice.candidates]
            show(rows, title=_headline(choice), columns=_CANDIDATE)
        else:
            sys.stdout.write(f"{_headline(choice)}\n\n")


@app.command("history")
def history_(
    key: PersonKey,
    attributes: Attributes = None,
    *,
    believed_at: Annotated[
        datetime | None,
        typer.Option(
            formats=MOMENT,
            help="Only golden values of this moment; Vietnam's time unless it has a zone.",
        ),
    ] = None,
    true_on: Annotated[
        datetime | None, typer.Option(formats=DAY, help="Only values that were valid on this day.")
    ] = None,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Show the golden values over time, and the periods in which values were valid; masked."""
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
        show(list(_believed(past)), title="golden values", columns=_BELIEVED)
    show(list(_true(past)), title="validity", columns=_TRUE)


def _headline(choice: Choice) -> str:
    origin = choice.origin
    if origin is None:
        return f"{choice.attribute}: no golden value"
    record = f"{origin.source}.{origin.stream} {origin.source_key}"
    doubt = ", in doubt" if origin.doubtful else ""
    return (
        f"{choice.attribute}: {_written(choice.value)}\n"
        f"from {record}, as of {origin.as_of:%Y-%m-%d}{doubt}, since {choice.since:%Y-%m-%d}: "
        f"{_WON[choice.won or 'not_kept']}"
    )


def _row(candidate: Candidate) -> dict[str, Any]:
    outcome = [_LOST[candidate.lost] if candidate.lost else "golden value"]
    if candidate.lost and (likeness := _LIKENESS[candidate.likeness]):
        outcome.append(likeness)
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
        "outcome": "; ".join(outcome),
    }


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(str(part) for part in value.values() if part is not None)
    return str(value)


def _masked(settings: Settings, explanation: Explanation) -> Explanation:
    """Mask values, and keys of records, which at some sources are a number of the person."""
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
    for name, timeline in past.attributes.items():
        for belief in timeline.beliefs:
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
    for name, timeline in past.attributes.items():
        for period in timeline.periods:
            yield {"attribute": name, **asdict(period), "value": _written(period.value)}


def _masked_past(settings: Settings, past: History) -> History:
    shown = shown_values(load_entities(settings.schemas)["person"])
    return replace(
        past,
        attributes={
            name: _masked_attribute(name, timeline, shown) for name, timeline in past.attributes.items()
        },
    )


def _masked_attribute(name: str, timeline: Past, shown: set[str]) -> Past:
    return Past(
        tuple(
            replace(each, value=masked(each.value, shown, name), origin=_masked_origin(each.origin))
            for each in timeline.beliefs
        ),
        tuple(replace(each, value=masked(each.value, shown, name)) for each in timeline.periods),
    )


def _masked_origin(origin: Origin) -> Origin:
    return replace(origin, source_key=masked_text(origin.source_key))


for _command in (merges.merge, merges.unmerge, merges.split, merges.merges):
    app.command()(_command)
