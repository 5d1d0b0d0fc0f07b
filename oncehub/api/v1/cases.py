"""Cases, which an agency's officers read and decide.

People are named by pseudonyms that only this agreement's cases use; a person that the case does not name is
found by search terms, as in a look-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from oncehub.api.auth.tokens import Caller
from oncehub.api.core.audited_request import AuditedRequest, RequestId, TheCaller, audited_request
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.http.bodies import WHOLE_NUMBER, Answer, Body, QualifiedName, SearchTerms
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_search_terms
from oncehub.audit.log.pseudonyms import case_pseudonym
from oncehub.config.agreements import Agreement, Cases
from oncehub.config.entities import qualified
from oncehub.config.rules import CaseKind
from oncehub.errors import CaseNotFound, ConfigError, DecisionRefused
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.stewardship.cases import CaseContent, CaseFile, CaseVerdict
from oncehub.share.agreements.permissions import require_cases, require_search
from oncehub.share.cases.agreement_cases import (
    decide_agreement_case,
    find_agreement_case,
    list_agreement_cases,
    open_agreement_case,
    read_agreement_case,
)

router = APIRouter(prefix="/v1/cases", tags=["cases"])

_NULL: JsonDict = {"type": "null"}
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"


class CasesQuery(Body):
    """`after` is the number of the last case received; with `closed`, closed cases are listed, too."""

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    closed: bool = False


class CaseHead(Answer):
    """A case without its content; the next decision must give `last_decision`.

    `approved_by`: the decision that approved a correction request, which then waits for its source.
    """

    case: int = Field(validation_alias="case_id")
    kind: CaseKind
    source: str
    stream: str
    opened_at: datetime
    closed_at: datetime | None
    closed_because: str | None
    four_eyes: bool
    last_decision: int | None = Field(validation_alias="decision_id")
    approved_by: int | None


class CasesAnswer(Answer):
    """A page of cases; request the next one with `after` = `next`."""

    cases: list[CaseHead]
    next: int
    more: bool


class GoldenValue(Answer):
    """A golden value of one person; `equals`: the record states the same value."""

    value: Any
    source: str | None
    as_of: str | None
    equals: bool


class ComparedAttribute(Answer):
    """One attribute side by side; `golden_values` in the order of the people."""

    attribute: QualifiedName
    source_value: Any
    golden_values: list[GoldenValue]


class EvidenceWeight(Answer):
    """One bar of the waterfall chart: +1 bit doubles the odds that they are one person, -1 halves them."""

    comparison: str
    level: str
    bits: float


class NamedPerson(Answer):
    """A person whom the record may describe, with the weights of the model if one opened the case."""

    person: str
    probability: float | None = None
    weights: list[EvidenceWeight] = Field(default=[])


class DecisionLine(Answer):
    """A decision on the case; `person` where the decision names a person of the case."""

    decision: int = Field(validation_alias="decision_id")
    verdict: CaseVerdict
    person: str | None
    reason: str
    decided_by: str
    decided_at: datetime
    takes_effect: bool


class CaseAnswer(Answer):
    """A case with the evidence, as far as the agreement covers it."""

    case: CaseHead
    source_key: str
    stated_at: str | None
    people: list[NamedPerson]
    evidence: dict[str, Any]
    attributes: list[ComparedAttribute] = Field(validation_alias="compared")
    decisions: list[DecisionLine]
    request_id: str

    @classmethod
    def of(cls, file: CaseFile, names: Mapping[str, str], request_id: str) -> CaseAnswer:
        """Build the answer; `names` gives the pseudonym of every person named."""
        weighed = {each.person_key: vars(each) for each in file.candidates}
        return cls.model_validate(
            vars(file)
            | {
                "people": [weighed.get(key, {}) | {"person": names[key]} for key in file.people],
                "decisions": [
                    vars(each) | {"person": names.get(each.person_key or "")} for each in file.decisions
                ],
                "request_id": request_id,
            }
        )


class DecisionRequest(Body):
    """A decision: `person` is one of the case's, with `same`; `search` finds another, with `other`.

    `approve` and `reject` decide a correction request; the citizen sees the reason of a rejection.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"verdict": {"const": "same"}, "search": _NULL}},
                {"properties": {"verdict": {"const": "different"}, "search": _NULL, "person": _NULL}},
                {
                    "properties": {
                        "verdict": {"const": "other"},
                        "search": {"type": "object"},
                        "person": _NULL,
                    },
                    "required": ["search"],
                },
            ]
        }
    )

    verdict: CaseVerdict
    reason: Annotated[str, Field(min_length=1, max_length=2000, json_schema_extra={"pattern": _ONE_LINE})]
    person: Annotated[str, Field(max_length=64)] | None = None
    search: SearchTerms | None = None
    last_decision: Annotated[int, Field(ge=1, lt=2**63), WHOLE_NUMBER] | None = None

    @model_validator(mode="after")
    def _named_once(self) -> DecisionRequest:
        if (self.search is not None) != (self.verdict == "other") or (self.person and self.verdict != "same"):
            raise ValueError("give search with other, person with same, neither with different")
        return self


class DecisionAnswer(Answer):
    """The decision; it has no effect until a second officer confirms it, where one must."""

    decision: int = Field(validation_alias="decision_id")
    takes_effect: bool
    request_id: str


CaseId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", operation_id="listCases")
def cases(
    hub: TheHub, caller: TheCaller, request_id: RequestId, wanted: Annotated[CasesQuery, Query()]
) -> CasesAnswer:
    """List the cases that the agreement covers, the oldest first, without their content."""
    with _cases(hub, caller, request_id) as (request, own):
        found = list_agreement_cases(
            request.connection,
            own,
            closed=wanted.closed,
            after=wanted.after,
            limit=wanted.limit + 1,
        )
        page = found[: wanted.limit]
        following = page[-1].case_id if page else wanted.after
        more = len(found) > wanted.limit
        return CasesAnswer.model_validate({"cases": page, "next": following, "more": more})


@router.get("/{case_id}", operation_id="getCase")
def case(case_id: CaseId, hub: TheHub, caller: TheCaller, request_id: RequestId) -> CaseAnswer:
    """Show the record's values beside the golden values of the people it may describe, and the evidence."""
    with _cases(hub, caller, request_id, case_id) as (request, own):
        content = _covered(request, own, case_id)
        file = open_agreement_case(request.connection, request.agreement, case_id, content)
        if file.case.kind == "correction_request":
            # It is about the citizen who made the request.
            request.person_key = next(iter(file.people), None)
        else:
            request.appeared = file.people
        request.attributes = tuple(qualified(row.attribute) for row in file.compared)
        names = {key: _pseudonym(hub, request.agreement, key) for key in file.people}
        return CaseAnswer.of(file, names, str(request_id))


@router.post("/{case_id}/decisions", status_code=201, operation_id="decideCase", responses=answers(409))
def decision(
    case_id: CaseId, body: DecisionRequest, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> DecisionAnswer:
    """Decide a case; where another officer must confirm it, `takes_effect` is false."""
    if body.search:
        require_search_terms(body.search, hub.attributes)
    with _cases(hub, caller, request_id, case_id) as (request, own):
        named = _covered(request, own, case_id).named
        decided_by = _decided_by(request, body.reason)
        person = _person(hub, request, case_id, body, named)
        # A person found by search is logged as consulted, a person of the case as appeared.
        request.person_key = person if body.search else None
        request.appeared = (person,) if person else ()
        decided = decide_agreement_case(
            request.connection,
            case_id,
            body.verdict,
            decided_by,
            person_key=UUID(person) if person else None,
            named=named,
            follows=body.last_decision,
        )
        request.decision_id = decided.decision_id
        return DecisionAnswer.model_validate(vars(decided) | {"request_id": str(request_id)})


@contextmanager
def _cases(
    hub: Hub, caller: Caller, request_id: UUID, case_id: int | None = None
) -> Iterator[tuple[AuditedRequest, Cases]]:
    """Open an audited request for the cases that the agreement covers; it must name an officer."""
    with audited_request(hub, caller, request_id, "case") as request:
        request.case_id = case_id
        own = require_cases(request.agreement, caller.officer)
        request.open(case_id=case_id)
        yield request, own


def _covered(request: AuditedRequest, own: Cases, case_id: int) -> CaseContent:
    """Read the content of a case; one that the agreement does not cover is answered as not found."""
    found = find_agreement_case(request.connection, case_id)
    if found.kind not in own.kinds or (own.sources is not None and found.source not in own.sources):
        raise CaseNotFound(f"there is no case {case_id}")
    content = read_agreement_case(request.connection, case_id)
    covered = request.agreement.attributes
    if found.kind == "correction_request" and qualified(content.evidence["attribute"]) not in covered:
        raise CaseNotFound(f"there is no case {case_id}")
    return content


def _decided_by(request: AuditedRequest, reason: str) -> DecidedBy:
    try:
        return DecidedBy(f"{request.agreement.agency.id}/{request.caller.officer}", reason)
    except ConfigError as error:
        fault = {"type": "value_error", "loc": ("body", "reason"), "msg": str(error)}
        raise RequestValidationError([fault]) from None


def _person(
    hub: Hub, request: AuditedRequest, case_id: int, body: DecisionRequest, named: list[str]
) -> str | None:
    """Return the key of the person in a decision: by pseudonym a person of the case, by search any person."""
    if body.search:
        require_search(request.agreement, body.search)
        return request.find(body.search).key
    if body.person is None:
        return None
    for key in named:
        if _pseudonym(hub, request.agreement, key) == body.person:
            return key
    raise DecisionRefused(f"case {case_id} has no person with that pseudonym; read the case again")


def _pseudonym(hub: Hub, agreement: Agreement, person_key: str) -> str:
    return case_pseudonym(hub.pseudonym_key, agreement.name, person_key)
