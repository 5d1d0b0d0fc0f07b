"""`oncehub requests`: the requests of citizens under data-protection law, and their deadlines."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from oncehub.cli.options import Clerk, Json, Limit
from oncehub.cli.output import show
from oncehub.config.catalogue import load_rules
from oncehub.config.privacy import DeadlineRules
from oncehub.settings import load_settings
from oncehub.share.agreements.permissions import today
from oncehub.share.data_subjects.requests import Step, list_requests, note_step
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

RequestId = Annotated[UUID, typer.Argument(help="Id of the request, as shown by `oncehub requests list`.")]

_COLUMNS = ("request_id", "kind", "agreement", "next_due", "answer_by", "due_on", "answered_at")


@app.command("due")
def due(
    within: Annotated[int, typer.Option(min=0, help="Days from today.")] = 3,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List requests that are due soon or overdue; status 1 if any is overdue."""
    day = today()
    with opened(load_settings()) as connection, connection:
        rows = list_requests(connection, until=day + timedelta(days=within), limit=limit)
    show(rows, title="requests due", columns=_COLUMNS, as_json=as_json)
    if over := sum(row.next_due < day for row in rows):
        sys.stderr.write(f"oncehub: {over} requests are overdue\n")
        raise typer.Exit(1)


@app.command("list")
def list_(
    closed: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List requests, the most urgent first."""
    with opened(load_settings()) as connection, connection:
        rows = list_requests(connection, closed=closed, limit=limit)
    show(rows, title="requests", columns=(*_COLUMNS, "closed_as"), as_json=as_json)


@app.command("note")
def note(
    request_id: RequestId,
    step: Annotated[
        Step,
        typer.Argument(
            help="answered: the citizen has an answer; extended: once, with a reason; done; refused."
        ),
    ],
    *,
    by: Clerk,
    reason: Annotated[
        str | None, typer.Option(help="Reason that the citizen sees; kept permanently.")
    ] = None,
) -> None:
    """Record a step of a request."""
    settings = load_settings()
    days = load_rules(settings, "deadlines", DeadlineRules).extension_days
    with opened(settings) as connection, connection:
        request = note_step(connection, request_id, step, by, reason=reason, extension_days=days)
    state = request.closed_as or f"due on {request.due_on}"
    sys.stdout.write(f"request {request_id}: {step}; {state}\n")
