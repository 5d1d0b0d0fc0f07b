"""Correction requests: citizens claim that a value is wrong, and see the outcome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from oncehub.api.auth.tokens import Caller
from oncehub.api.core.audited_request import AuditedRequest, RequestId, TheCaller, audited_request
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.core.vouching import EvidenceToken, Sent, TheBody, vouched_citizen
from oncehub.api.http.bodies import Answer, Body, QualifiedName, SearchTerms
from oncehub.api.http.description import KNOWN, answers
from oncehub.api.http.terms import require_known, require_search_terms
from oncehub.clock import VIETNAM
from oncehub.config.entities import unqualified
from oncehub.share.agreements.permissions import (
    require_citizen_view,
    require_correctable,
    require_own,
    require_search,
)
from oncehub.share.data_subjects.correction_requests import (
    Correction,
    request_correction,
    requests_of,
    value_fault,
)
from oncehub.share.data_subjects.requests import open_request

router = APIRouter(prefix="/v1/persons/corrections", tags=["usage"])


_Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CorrectionBody(Body):
    """The value that the citizen claims is right (null: there is none), the reason and the proof."""

    search: SearchTerms
    attribute: Annotated[str, Field(max_length=60, json_schema_extra={KNOWN: "attribute"})]
    value: Any
    reason: Annotated[_Line, Field(max_length=1000)]
    document: Annotated[_Line, Field(max_length=200)] | None = None
    evidence: EvidenceToken = None


class CorrectionOpened(BaseModel):
    """The case of the request; `opened` is false where the same request was open already."""

    case: int
    opened: bool
    request_id: str


class StatusBody(Body):
    """The citizen whose requests to list."""

    search: SearchTerms
    evidence: EvidenceToken = None


class RequestLine(Answer):
    """A correction request; `approved`: clerks agree, and the source has not stated the value yet."""

    case: int = Field(validation_alias="case_id")
    attribute: QualifiedName
    value: Any = Field(validation_alias="claimed")
    received_at: AwareDatetime
    due_on: date | None
    state: Literal["received", "approved", "corrected", "rejected"]
    decided_at: AwareDatetime | None
    reason: str | None


class StatusAnswer(Answer):
    """The citizen's correction requests, the latest first."""

    requests: list[RequestLine]
    request_id: str


@router.post(
    "",
    status_code=201,
    operation_id="requestCorrection",
    responses={
        200: {"model": CorrectionOpened, "description": "The same was asked before."},
        **answers(404, 409),
    },
)
def correct(
    body: CorrectionBody,
    sent: TheBody,
    *,
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
    response: Response,
) -> CorrectionOpened:
    """Request the correction of a value: opens a case, or returns 200 and the case already open."""
    require_known([body.attribute], hub.attributes, "attribute")
    opened_for = _Asking(hub, caller, request_id, sent, "", (body.attribute,))
    with _citizen(opened_for, body.search) as (request, key):
        require_correctable(request.agreement, body.attribute)
        name = unqualified(body.attribute)
        if fault := value_fault(hub.person, name, body.value):
            raise RequestValidationError([{"type": "value_error", "loc": ("body", "value"), "msg": fault}])
        correction = Correction(name, body.value, body.reason, body.document)
        case_id, opened = request_correction(request.connection, key, correction, request.agreement)
        request.case_id = case_id
        if opened:
            open_request(
                request.connection,
                hub.deadlines,
                "correction",
                key,
                datetime.now(VIETNAM),
                agreement=request.agreement.name,
                case_id=case_id,
                vouched_by=request.vouched_by,
            )
        response.status_code = 201 if opened else 200
        return CorrectionOpened(case=case_id, opened=opened, request_id=str(request_id))


@router.post("/status", operation_id="listCorrectionRequests", responses=answers(404))
def status(
    body: StatusBody, sent: TheBody, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> StatusAnswer:
    """List the citizen's correction requests with their states."""
    with _citizen(_Asking(hub, caller, request_id, sent, "/status"), body.search) as (request, key):
        found = requests_of(request.connection, key, request.agreement)
        return StatusAnswer.model_validate({"requests": found, "request_id": str(request_id)})


class _Asking(NamedTuple):
    """A request as it came; `path` is what of its path follows that of corrections."""

    hub: Hub
    caller: Caller
    request_id: UUID
    sent: Sent
    path: str
    attributes: tuple[str, ...] = ()


@contextmanager
def _citizen(asking: _Asking, search: dict[str, str]) -> Iterator[tuple[AuditedRequest, str]]:
    """Open an audited request of the citizen who acts, and yield the citizen's key with it."""
    hub, caller, request_id, sent, path, attributes = asking
    require_search_terms(search, hub.attributes)
    with audited_request(hub, caller, request_id, "correction_request", attributes=attributes) as request:
        require_citizen_view(request.agreement)
        citizen = vouched_citizen(hub, request, sent, f"/v1/persons/corrections{path}")
        require_search(request.agreement, search)
        require_own(citizen.number, search)
        yield request, request.find(search).key
