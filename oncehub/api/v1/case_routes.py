"""The endpoints by which an agency's officers see and decide cases.

People are named by pseudonyms that only this agreement's cases use; somebody whom a case does not name is
found by search terms, as in a look-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from fastapi.exceptions import RequestValidationError

from oncehub.api.auth.tokens import Caller
from oncehub.api.core.audited_request import Inquiry, inquiry
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_search_terms
from oncehub.api.v1.case_bodies import (
    CaseAnswer,
    CaseHead,
    CasesAnswer,
    CasesQuery,
    DecisionAnswer,
    DecisionRequest,
)
from oncehub.api.v1.routes import RequestId, TheCaller
from oncehub.audit.log.pseudonyms import case_pseudonym
from oncehub.config.agreements import Agreement, Cases
from oncehub.config.entities import qualified
from oncehub.errors import CaseNotFound, ConfigError, DecisionRefused
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.stewardship.cases import CaseContent
from oncehub.share.agreements.permissions import require_cases, require_search
from oncehub.share.cases import (
    decide_covered_case,
    find_covered_case,
    list_covered_cases,
    open_covered_case,
    read_covered_case,
)

router = APIRouter(prefix="/v1/cases", tags=["cases"])

CaseId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", operation_id="listCases")
def cases(
    hub: TheHub, caller: TheCaller, request_id: RequestId, wanted: Annotated[CasesQuery, Query()]
) -> CasesAnswer:
    """List the cases that the agreement covers, the oldest first, and nothing of what they are about."""
    with _cases(hub, caller, request_id) as (asked, own):
        found = list_covered_cases(
            asked.connection,
            asked.agreement,
            own,
            closed=wanted.closed,
            after=wanted.after,
            limit=wanted.limit + 1,
        )
        page = found[: wanted.limit]
        return CasesAnswer(
            cases=[CaseHead.of(case) for case in page],
            next=page[-1].case_id if page else wanted.after,
            more=len(found) > wanted.limit,
        )


@router.get("/{case_id}", operation_id="getCase")
def case(case_id: CaseId, hub: TheHub, caller: TheCaller, request_id: RequestId) -> CaseAnswer:
    """Show what the record states beside what is believed of the people it may speak of, and the evidence."""
    with _cases(hub, caller, request_id, case_id) as (asked, own):
        content = _covered(asked, own, case_id)
        file = open_covered_case(asked.connection, asked.agreement, case_id, content)
        if file.case.kind == "correction_request":
            # It is about whoever has asked, and nobody else.
            asked.person_key = next(iter(file.people), None)
        else:
            asked.appeared = file.people
        asked.attributes = tuple(qualified(row.attribute) for row in file.compared)
        names = {key: _pseudonym(hub, asked.agreement, key) for key in file.people}
        return CaseAnswer.of(file, names, str(request_id))


@router.post("/{case_id}/decisions", status_code=201, operation_id="decideCase", responses=answers(409))
def decision(
    case_id: CaseId, body: DecisionRequest, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> DecisionAnswer:
    """Decide a case; where another officer must confirm it, `takes_effect` is false."""
    if body.search:
        require_search_terms(body.search, hub.attributes)
    with _cases(hub, caller, request_id, case_id) as (asked, own):
        named = _covered(asked, own, case_id).named
        word = _word(asked, body.reason)
        person = _person(hub, asked, case_id, body, named)
        # Whom the officer searched for is consulted; whom the case names appears in it.
        asked.person_key = person if body.search else None
        asked.appeared = (person,) if person else ()
        decided = decide_covered_case(
            asked.connection,
            asked.agreement,
            case_id,
            body.verdict,
            word,
            person_key=UUID(person) if person else None,
            named=named,
            follows=body.last_decision,
        )
        asked.decision_id = decided.decision_id
        return DecisionAnswer(
            decision=decided.decision_id, takes_effect=decided.takes_effect, request_id=str(request_id)
        )


@contextmanager
def _cases(
    hub: Hub, caller: Caller, request_id: UUID, case_id: int | None = None
) -> Iterator[tuple[Inquiry, Cases]]:
    """Open a question about the cases that the agreement covers, asked by an officer who is named."""
    with inquiry(hub, caller, request_id, "case") as asked:
        asked.case_id = case_id
        yield asked, require_cases(asked.agreement, caller.officer)


def _covered(asked: Inquiry, own: Cases, case_id: int) -> CaseContent:
    """Read what a case is about; whether one that the agreement does not cover exists is not told."""
    found = find_covered_case(asked.connection, asked.agreement, case_id)
    if found.kind not in own.kinds or (own.sources is not None and found.source not in own.sources):
        raise CaseNotFound(f"there is no case {case_id}")
    content = read_covered_case(asked.connection, asked.agreement, case_id)
    covered = asked.agreement.attributes
    if found.kind == "correction_request" and qualified(content.evidence["attribute"]) not in covered:
        raise CaseNotFound(f"there is no case {case_id}")
    return content


def _word(asked: Inquiry, reason: str) -> DecidedBy:
    try:
        return DecidedBy(f"{asked.agreement.agency.id}/{asked.caller.officer}", reason)
    except ConfigError as error:
        fault = {"type": "value_error", "loc": ("body", "reason"), "msg": str(error)}
        raise RequestValidationError([fault]) from None


def _person(hub: Hub, asked: Inquiry, case_id: int, body: DecisionRequest, named: list[str]) -> str | None:
    """Give the key of whom a decision names: by pseudonym one of the case's, by search anybody."""
    if body.search:
        require_search(asked.agreement, body.search)
        return asked.find(body.search).key
    if body.person is None:
        return None
    for key in named:
        if _pseudonym(hub, asked.agreement, key) == body.person:
            return key
    raise DecisionRefused(f"case {case_id} names nobody of that pseudonym; look at it again")


def _pseudonym(hub: Hub, agreement: Agreement, person_key: str) -> str:
    return case_pseudonym(hub.pseudonym_key, agreement.name, person_key)
