"""What requests and answers hold, as OpenAPI shows it."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from oncehub.api.http.description import KNOWN
from oncehub.config.agreements import Agreement
from oncehub.share.corrections.notices import RejectionReason, Response

SearchTerms = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=100)]],
    Field(min_length=1, max_length=5, json_schema_extra={KNOWN: "search_terms"}),
]
"""Qualified attribute -> value, e.g. `person.personal_id`; all must lead to the same person."""


def _require_number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("Input should be a whole number")
    return value


WHOLE_NUMBER = BeforeValidator(_require_number)
"""Of an integer in JSON: neither `"5"` nor `true` stands for one."""


def _require_form(pattern: str, form: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"Input should be a text of the form {form}")
        return value

    return BeforeValidator(check)


DAY = _require_form(r"\d{4}-\d\d-\d\d", "2026-01-31")
"""Of a date in JSON (RFC 3339 full-date): pydantic would take numbers and moments too."""

MOMENT = _require_form(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", "2026-01-31T23:59:59+07:00"
)
"""Of a moment in JSON (RFC 3339 date-time)."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LookupRequest(_Body):
    """Whom to look for, and the attributes wanted; a purpose, if stated, must be the agreement's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "search": {"person.personal_id": "001084000999"},
                    "attributes": ["person.full_name", "person.permanent_address"],
                }
            ]
        }
    )

    search: SearchTerms
    attributes: Annotated[
        list[str], Field(min_length=1, max_length=100, json_schema_extra={KNOWN: "attributes"})
    ]
    purpose: str | None = None


class Value(BaseModel):
    """A believed value, whose word it is, and when they stated it; all null where nothing is held."""

    value: Any
    source: str | None
    as_of: str | None


class LookupAnswer(BaseModel):
    """The attributes asked for, by qualified name."""

    attributes: dict[str, Value]
    request_id: str


class FeedQuery(_Body):
    """Read on `after` the sequence of the last line held; 0 from the start."""

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


class FeedLine(BaseModel):
    """One person's change; see `oncehub.share.FeedPage`."""

    sequence: int
    person: str
    kind: str
    changed: list[str]
    values: dict[str, Any]
    as_of: str
    merged_into: str | None = None


class FeedAnswer(BaseModel):
    """A piece of a feed: ask on with `after` = `next`."""

    changes: list[FeedLine]
    next: int
    more: bool


class NoticeRecord(BaseModel):
    """A record of the source, as the source itself names it; without key where the line was purged."""

    stream: str
    key: str | None


class AssertedBy(BaseModel):
    """The source that asserts the golden value, and when it stated the value."""

    source: str | None
    as_of: datetime | None


class ResolutionTimes(BaseModel):
    """Seconds until the discrepancy closed, counted from three moments.

    It opened; its source fetched the notice; its source acknowledged the notice.
    """

    since_opened: int
    since_fetched: int | None
    since_acknowledged: int | None


class NoticeLine(BaseModel):
    """A discrepancy of one of the source's records opened, changed or closed.

    `notice` is the sequence of its first line and stays the same; `severity` is today's, null once closed;
    `withheld`: the agreement does not cover the golden value. Lines whose retention has ended have a null
    source value, golden value and record key: the notice is closed, or a later line replaces them.
    """

    sequence: int
    notice: int
    change: str
    kind: str
    severity: str | None
    record: NoticeRecord
    attribute: str
    source_value: Any
    stated_at: datetime
    golden_value: Any
    withheld: bool
    asserted_by: AssertedBy | None
    opened_at: datetime
    closed_at: datetime | None
    closed_because: str | None = None
    resolution_times: ResolutionTimes | None = None


class CorrectionsAnswer(BaseModel):
    """A piece of the source's correction notices: ask on with `after` = `next`."""

    notices: list[NoticeLine]
    next: int
    more: bool


class NoticeResponse(_Body):
    """The source's response to a notice, which it names by number; a rejection needs a reason."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "properties": {"response": {"const": "rejected"}, "reason": {"type": "string"}},
                    "required": ["reason"],
                },
                {"properties": {"response": {"not": {"const": "rejected"}}, "reason": {"type": "null"}}},
            ]
        }
    )

    notice: Annotated[int, Field(ge=1, lt=2**63), WHOLE_NUMBER]
    response: Response
    reason: RejectionReason | None = None

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.response == "rejected") != (self.reason is not None):
            raise ValueError("give a reason with rejected, and only with rejected")
        return self


class Acknowledgement(_Body):
    """Every line up to the sequence `acknowledged` is kept by the agency; 0 acknowledges none."""

    acknowledged: Annotated[int, Field(ge=0, lt=2**63), WHOLE_NUMBER]
    responses: Annotated[list[NoticeResponse], Field(max_length=500)] = []


class AcknowledgementAnswer(BaseModel):
    """How far the source has come, by sequence; both only grow."""

    acknowledged: int
    fetched: int


class AgreementAnswer(BaseModel):
    """The caller's agreement as the hub keeps it, and what may be asked today.

    `valid_until`: the last day on which both the agreement and its legal basis are in force.
    `needs_consent`: covers only people who have consented, and only the attributes they consented to.
    `remaining_today`: requests that are left until midnight in Vietnam.
    """

    agreement: dict[str, Any]
    in_force: bool
    valid_until: date
    needs_consent: bool
    remaining_today: int

    @classmethod
    def of(cls, agreement: Agreement, *, day: date, left: int) -> AgreementAnswer:
        """Build the answer of a kept agreement on a day."""
        ends = [agreement.valid.until, agreement.legal_basis.until or agreement.valid.until]
        return cls(
            agreement=agreement.model_dump(mode="json", by_alias=True),
            in_force=agreement.in_force(day),
            valid_until=min(ends),
            needs_consent=agreement.needs_consent,
            remaining_today=left,
        )
