"""Correction requests of citizens about their own data: each is a case that clerks approve or reject.

An approved request does not change the golden value, because the hub keeps no values of its own. It is sent
as a notice to the source that states the value. The value counts as disputed until the golden value is the
one that the citizen claims; then the case closes (see `store/routines/truth/correction_requests.sql`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from jsonschema_rs import Draft202012Validator
from psycopg2.extras import Json

from oncehub.config.agreements import Agreement
from oncehub.config.entities import Entity
from oncehub.errors import CorrectionRefused, PersonNotFound, TooManyRequests
from oncehub.share.request_proofs import insert
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

State = Literal["received", "approved", "corrected", "rejected"]

OPEN: Final = 5
"""So many requests of one person may be open at once."""

RECENT: Final = 10
"""So many may be opened `WITHIN` a time, whatever became of them."""

WITHIN: Final = timedelta(days=30)

LONGEST_VALUE: Final = 2000
"""So many characters of JSON a value may have."""

_REQUEST: Final = """
select case_id, outcome from {truth}.request_correction(
    %(person)s::uuid, %(attribute)s, %(value)s::jsonb, %(why)s, %(document)s, %(open)s, %(recent)s,
    %(within)s::interval
)
"""

_REQUESTS: Final = """
select case_id, attribute, claimed, received_at, due_on, state, decided_at, reason
from {truth}.requests_of(%(person)s::uuid)
"""


@dataclass(frozen=True)
class Correction:
    """What a citizen says is right.

    Attributes:
        attribute: of the person.
        value: in its canonical form; None says that there is none.
        why: in the citizen's words.
        document: reference to what proves it; None where nothing was handed in.
    """

    attribute: str
    value: Any
    why: str
    document: str | None


@dataclass(frozen=True)
class CorrectionRequest:
    """How a request stands.

    Attributes:
        claimed: what the citizen says is right.
        due_on: the Vietnamese day by whose end it is carried out (Nghị định 356/2025/NĐ-CP).
        state: `received`, `approved` (its source has still to state it), `corrected` or `rejected`.
        decided_at: when clerks approved or rejected it, or it was found corrected; None until then.
        reason: why it was rejected.
    """

    case_id: int
    attribute: str
    claimed: Any
    received_at: datetime
    due_on: date | None
    state: State
    decided_at: datetime | None
    reason: str | None


def value_fault(person: Entity, attribute: str, value: Any) -> str | None:
    """Tell what keeps a value from being one of the attribute, without the value; None where nothing does."""
    try:
        text = Json(value).dumps(value)
        text.encode()
    except (ValueError, RecursionError):
        return f"has not the form of person.{attribute}"
    if len(text) > LONGEST_VALUE or "\\u0000" in text or "\\ud" in text.lower():
        return f"is longer than {LONGEST_VALUE} characters, or holds what is no character"
    try:
        fits = Draft202012Validator(person.schema["properties"][attribute]).is_valid(value)
    except ValueError:
        # The validator refuses values that are nested too deeply.
        fits = False
    return None if fits else f"has not the form of person.{attribute}; see the canonical schema of person"


def request_correction(
    connection: Connection, person_key: str, correction: Correction, under: Agreement | None = None
) -> tuple[int, bool]:
    """Open a case about a value within the caller's transaction; return its number, and whether it is new.

    The same request once more is the case that it opened.

    Args:
        connection: in a transaction.
        person_key: of the person who asks, whom it is about.
        correction: its value has the attribute's form.
        under: the agreement under which they ask, in whose open request it is; None asks with the
            hub's own rights.

    Raises:
        PersonNotFound: when the agreement does not have them any more.
        CorrectionRefused: when another value was claimed of the attribute and that is open, or the value is
            what is believed.
        TooManyRequests: when the person has asked for as much as clerks can look at.
    """
    values = {
        "person": person_key,
        "attribute": correction.attribute,
        "value": correction.value,
        "why": correction.why,
        "document": correction.document,
        "open": OPEN,
        "recent": RECENT,
        "within": f"{WITHIN.days} days",
    }
    if under is None:
        opened = rows_as(connection, None, _REQUEST, values | {"value": Json(correction.value)})[0]
    else:
        opened = insert(connection, "truth.correction_request", values)
    if "case_id" not in opened:
        raise PersonNotFound("the agreement does not have the person any more")
    case_id, outcome = opened["case_id"], opened["outcome"]
    if outcome == "another":
        raise CorrectionRefused(
            f"another value of person.{correction.attribute} was claimed in case {case_id}, which is open; "
            "wait for its answer",
            case_id,
        )
    if outcome == "believed":
        raise CorrectionRefused(f"this is what is believed as person.{correction.attribute}; nothing differs")
    if outcome == "too many":
        raise TooManyRequests(
            f"at most {OPEN} requests may be open, and {RECENT} made within {WITHIN.days} days", 86_400
        )
    return int(case_id), outcome == "opened"


def requests_of(
    connection: Connection, person_key: str, under: Agreement | None = None
) -> list[CorrectionRequest]:
    """Give all that a person has asked to be corrected, the latest first; see `request_correction`."""
    rows = rows_as(connection, under, _REQUESTS, {"person": person_key})
    return [CorrectionRequest(**row) for row in rows]
