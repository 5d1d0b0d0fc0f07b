"""`oncehub cases`: the cases that need a decision of a clerk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Annotated, Any
from uuid import UUID

import typer

from oncehub.anonymisation.anonymiser import masked, masked_text
from oncehub.anonymisation.non_personal_fields import shown_values
from oncehub.cli.files import write_file
from oncehub.cli.links import NEXT
from oncehub.cli.naming import note_disclosure
from oncehub.cli.options import Chart, Clerk, Json, Reason, ShowPersonalData
from oncehub.cli.output import show, write_json
from oncehub.config.rules import CaseKind
from oncehub.reconcile.linking.explain import explain_link
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.matching.evidence import MatchCandidate, chart_of
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook, store_rules
from oncehub.reconcile.stewardship.cases import (
    CaseFile,
    CaseVerdict,
    ComparedAttribute,
    Decision,
    decide,
    list_cases,
    open_case_file,
)
from oncehub.settings import Settings, load_settings
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

CaseId = Annotated[int, typer.Argument(help="Number of the case, as shown by `oncehub cases list`.")]

_COLUMNS = ("case_id", "kind", "stream", "opened_at", "four_eyes", "decision_id")
_DECISIONS = ("decision_id", "decided_at", "decided_by", "verdict", "person_key", "reason", "takes_effect")


@app.command("list")
def list_(
    *,
    kind: Annotated[CaseKind | None, typer.Option(help="Only this kind.")] = None,
    source: Annotated[str | None, typer.Option(help="Only records of this source.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed cases, too.")] = False,
    after: Annotated[int, typer.Option(help="Only cases with a greater number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, the oldest first.")] = 100,
    as_json: Json = False,
) -> None:
    """List open cases, without personal data."""
    with opened(load_settings()) as connection, connection:
        rows = list_cases(
            connection,
            kinds=kind and [kind],
            sources=source and [source],
            closed=everything,
            after=after,
            limit=limit,
        )
    columns = (*_COLUMNS, "closed_at", "closed_because") if everything else _COLUMNS
    show(rows, title="cases", columns=columns, as_json=as_json)
    if not as_json and len(rows) == limit:
        sys.stdout.write(f"continue with --after {rows[-1].case_id}\n")


@app.command("show")
def show_(
    case_id: CaseId,
    show_personal_data: ShowPersonalData = False,
    chart: Chart = None,
    as_json: Json = False,
) -> None:
    """Compare a record with the golden records of the people it may be about; values are masked."""
    settings = load_settings()
    rules = load_rulebook(settings)
    with opened(settings) as connection, connection:
        file = open_case_file(connection, case_id, rules.attributes)
    if chart:
        write_file(chart, chart_of(_weighed(settings, file)).encode())
    if show_personal_data:
        note_disclosure(settings, "cases show", file.case.source, file.case.stream, 1 + len(file.people))
    else:
        file = _masked(rules, file)
    if as_json:
        write_json(asdict(file))
    else:
        _print(file)


@app.command("decide")
def decide_(
    case_id: CaseId,
    said: Annotated[
        CaseVerdict,
        typer.Argument(
            help="same: the record is about a person of the case; different: about none of them; "
            "other: about another person. For correction requests: approve, or reject with a reason."
        ),
    ],
    *,
    by: Clerk,
    reason: Reason,
    person: Annotated[
        UUID | None, typer.Option(help="Key of the person, where the case has several, and with other.")
    ] = None,
    follows: Annotated[
        int | None, typer.Option(help="The decision to confirm or replace: the last one on the case.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide a case permanently; four-eyes control needs the same verdict of a second clerk."""
    settings = load_settings()
    word = DecidedBy(by, reason)
    with opened(settings) as connection, connection:
        with connection.cursor() as cursor:
            store_rules(cursor, load_rulebook(settings))
        decision = decide(connection, case_id, said, word, person_key=person, follows=follows)
    if as_json:
        write_json(asdict(decision))
    else:
        sys.stdout.write(_outcome(case_id, decision))


def _outcome(case_id: int, decision: Decision) -> str:
    if decision.takes_effect and decision.verdict == "approve":
        return (
            f"decision {decision.decision_id}: case {case_id} stays open until its source states the value; "
            "`oncehub publish` notifies the source\n"
        )
    if decision.takes_effect:
        return f"decision {decision.decision_id}: case {case_id} is closed\n{NEXT}"
    return (
        f"decision {decision.decision_id} has no effect until another clerk gives the same verdict "
        f"with --follows {decision.decision_id}\n"
    )


def _weighed(settings: Settings, file: CaseFile) -> list[MatchCandidate]:
    """Return the weights of the model that opened the case; else those of the active model."""
    if file.candidates:
        return list(file.candidates)
    return explain_link(settings, file.case.source, file.case.stream, file.source_key).candidates


def _print(file: CaseFile) -> None:
    case = file.case
    closed = f", closed {case.closed_at:%Y-%m-%d}: {case.closed_because}" if case.closed_at else ""
    sys.stdout.write(
        f"case {case.case_id}, {case.kind}, since {case.opened_at:%Y-%m-%d}{closed}\n"
        f"{case.source}.{case.stream} {file.source_key}, stated {file.stated_at or 'no longer'}\n"
    )
    for number, key in enumerate(file.people, start=1):
        sys.stdout.write(f"person {number}: {key}\n")
    if case.kind == "correction_request" and file.evidence:
        sys.stdout.write(
            f"the citizen claims that {file.evidence['attribute']} is wrong: {file.evidence['why']}\n"
            f"document: {file.evidence['document'] or 'none'}\n"
        )
    if case.approved_by:
        sys.stdout.write(f"approved by decision {case.approved_by}; open until the source states the value\n")
    numbers = [f"person_{number}" for number in range(1, len(file.people) + 1)]
    show(list(_rows(file)), title="side by side", columns=("attribute", "source_value", *numbers))
    for number, candidate in enumerate(file.candidates, start=1):
        rows = [asdict(weight) for weight in candidate.weights]
        title = f"person {number}: probability {candidate.probability:.4f}"
        show(rows, title=title, columns=("comparison", "level", "bits"))
    decisions = [asdict(each) for each in file.decisions]
    show(decisions, title="decisions", columns=_DECISIONS)


def _rows(file: CaseFile) -> Iterator[dict[str, Any]]:
    for compared in file.compared:
        row = {"attribute": compared.attribute, "source_value": compared.source_value}
        for number, held in enumerate(compared.golden_values, start=1):
            sign = "= " if held.equals else ""
            golden = f"{sign}{held.value} ({held.source}, {str(held.as_of)[:10]})"
            row[f"person_{number}"] = None if held.value is None else golden
        yield row


def _masked(rules: Rulebook, file: CaseFile) -> CaseFile:
    shown = shown_values(rules.person)
    return replace(
        file,
        source_key=masked_text(file.source_key),
        evidence=_masked_evidence(file),
        compared=tuple(_masked_row(each, shown) for each in file.compared),
    )


def _masked_evidence(file: CaseFile) -> dict[str, Any]:
    """Mask what a citizen writes: it may hold any personal data."""
    if file.case.kind != "correction_request":
        return file.evidence
    return {
        name: text if name == "attribute" else text and masked_text(text)
        for name, text in file.evidence.items()
    }


def _masked_row(row: ComparedAttribute, shown: set[str]) -> ComparedAttribute:
    return replace(
        row,
        source_value=masked(row.source_value, shown, row.attribute),
        golden_values=tuple(
            replace(each, value=masked(each.value, shown, row.attribute)) for each in row.golden_values
        ),
    )
