"""Citizens' requests under the law on personal data: opened with the days they are due, and followed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count, islice
from typing import Literal

import psycopg2
from psycopg2.extras import RealDictCursor

from oncehub.audit.log.entries import VouchedBy
from oncehub.clock import VIETNAM
from oncehub.config.privacy import DeadlineRules, Holidays, RequestKind
from oncehub.errors import RequestStepRefused, StoreError
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection

Party = Literal["controller", "processor"]

_SATURDAY = 5


@dataclass(frozen=True)
class Due:
    """The last days on which a request may be answered, and carried out."""

    answer_by: date
    due_on: date


def due(rules: DeadlineRules, kind: RequestKind, received_at: datetime, party: Party = "controller") -> Due:
    """Return when a request is due that was received at a moment (with time zone)."""
    received = received_at.astimezone(VIETNAM).date()
    days = rules.kinds[kind]
    allowed = (party == "processor" and days.processor) or days.controller
    answer_by = working_day(rules.holidays, received, rules.answer_working_days)
    return Due(answer_by, received + timedelta(days=allowed))


def working_day(holidays: Holidays, start: date, number: int) -> date:
    """Return the working day that is the `number`th after `start`."""
    following = (start + timedelta(days=passed) for passed in count(1))
    working = (day for day in following if is_working_day(holidays, day))
    return next(islice(working, number - 1, None))


def is_working_day(holidays: Holidays, day: date) -> bool:
    """Tell whether a day is no Saturday, Sunday or known holiday."""
    holiday = f"{day:%m-%d}" in holidays.yearly or day in holidays.once
    return day.weekday() < _SATURDAY and not holiday


Step = Literal["answered", "extended", "done", "refused"]


@dataclass(frozen=True)
class Opened:
    """A request as it was opened.

    Attributes:
        request_id: a random UUID, fit for a URL.
    """

    request_id: str
    due: Due


@dataclass(frozen=True)
class CitizenRequest:
    """The state of a request; its person is recorded in the database only.

    Attributes:
        due_on: the last day to carry it out, including an extension.
        next_due: the next deadline: that of the answer until there is one.
        closed_as: `done` or `refused`.
    """

    request_id: str
    kind: RequestKind
    party: Party
    agreement: str | None
    consent_id: str | None
    case_id: int | None
    received_at: datetime
    answer_by: date
    due_on: date
    next_due: date
    extended: bool
    answered_at: datetime | None
    closed_at: datetime | None
    closed_as: str | None


_LIST = """
select request_id::text, kind, party, agreement, consent_id::text, case_id, received_at, answer_by, due_on,
    next_due, extended, answered_at, closed_at, closed_as
from share.request_state
where (%(request_id)s::uuid is null or request_id = %(request_id)s)
    and (%(closed)s or closed_at is null)
    and (%(until)s::date is null or next_due <= %(until)s)
order by next_due, request_id
limit %(limit)s
"""

_STEP = """
insert into share.request_step (request_id, step, due_on, reason, noted_by)
values (%(request_id)s, %(step)s, %(due_on)s, %(reason)s, %(noted_by)s)
"""


def open_request(
    connection: Connection,
    rules: DeadlineRules,
    kind: RequestKind,
    person_key: str,
    received_at: datetime,
    *,
    party: Party = "controller",
    agreement: str | None = None,
    consent_id: str | None = None,
    case_id: int | None = None,
    vouched_by: VouchedBy | Literal["operator"] | None = None,
) -> Opened:
    """Open a request within the caller's transaction.

    Args:
        connection: in a transaction.
        rules: `mappings/rules/deadlines.yaml`; the API has them as `hub.deadlines`.
        kind: what is asked for.
        person_key: by whom.
        received_at: when it reached the state, with time zone: the days count from there.
        party: who carries it out.
        agreement: the one it concerns, if one.
        consent_id: the consent that is withdrawn.
        case_id: the case that a correction became.
        vouched_by: who vouches for the person, where it was asked whether it is them.
    """
    dates = due(rules, kind, received_at, party)
    request_id = str(uuid.uuid4())
    values = {
        "request_id": request_id,
        "kind": kind,
        "party": party,
        "person_key": person_key,
        "agreement": agreement,
        "consent_id": consent_id,
        "case_id": case_id,
        "received_at": received_at,
        "answer_by": dates.answer_by,
        "due_on": dates.due_on,
        "vouched_by": vouched_by,
    }
    if not insert(connection, "share.request", values)["written"]:
        raise StoreError("the database does not take the request of a person whom the agreement has not")
    return Opened(request_id, dates)


def list_requests(
    connection: Connection, *, until: date | None = None, closed: bool = False, limit: int = 1000
) -> list[CitizenRequest]:
    """Give the requests on which something is due up to the day `until`, the most pressing first.

    Args:
        connection: one with the hub's own rights.
        until: None gives all.
        closed: those that are closed, too.
        limit: at most so many.
    """
    return _listed(connection, None, until, closed=closed, limit=limit)


def find_request(connection: Connection, request_id: uuid.UUID) -> CitizenRequest:
    """Give one request.

    Raises:
        RequestStepRefused: when there is none of that id.
    """
    found = _listed(connection, request_id, None, closed=True, limit=1)
    if not found:
        raise RequestStepRefused(f"there is no request {request_id}")
    return found[0]


def note_step(
    connection: Connection,
    request_id: uuid.UUID,
    step: Step,
    noted_by: str,
    *,
    reason: str | None = None,
    extension_days: int | None = None,
) -> CitizenRequest:
    """Record a step of a request in the caller's transaction, and return the request's new state.

    Args:
        connection: one with the hub's own rights.
        request_id: which.
        step: an extension and a refusal have a reason.
        noted_by: the clerk or account that took the step.
        reason: shown to the citizen.
        extension_days: with `extended`, counted from the day it was due.

    Raises:
        RequestStepRefused: when there is no such request, it is closed, or was answered or extended before.
    """
    request = find_request(connection, request_id)
    values = {
        "request_id": str(request_id),
        "step": step,
        "due_on": request.due_on + timedelta(days=extension_days or 0) if step == "extended" else None,
        "reason": reason,
        "noted_by": noted_by,
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute(_STEP, values)
    except psycopg2.errors.UniqueViolation:
        raise RequestStepRefused(f"request {request_id} was {step} before; that is done once") from None
    except psycopg2.errors.CheckViolation:
        raise RequestStepRefused("say why: an extension or a refusal has a reason") from None
    except psycopg2.errors.RaiseException:
        raise RequestStepRefused(f"request {request_id} is closed") from None
    return find_request(connection, request_id)


def _listed(
    connection: Connection, request_id: uuid.UUID | None, until: date | None, *, closed: bool, limit: int
) -> list[CitizenRequest]:
    values = {"request_id": request_id and str(request_id), "until": until, "closed": closed, "limit": limit}
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LIST, values)
        return [CitizenRequest(**row) for row in cursor.fetchall()]
