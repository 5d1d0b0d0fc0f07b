"""Correction notices: a source reads them, acknowledges them and responds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from oncehub.api.auth.tokens import Caller
from oncehub.api.core.audited_request import AuditedRequest, RequestId, TheCaller, audited_request
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.http.bodies import WHOLE_NUMBER, Answer, Body
from oncehub.api.http.description import out_of_sequence
from oncehub.api.v1.feeds import FeedQuery
from oncehub.audit.log.entries import Action
from oncehub.audit.log.entries import page as logged_page
from oncehub.config.agreements import Corrections
from oncehub.share.agreements.permissions import require_corrections, today
from oncehub.share.corrections import read_notices as notices
from oncehub.share.corrections.publish_notices import feed_name
from oncehub.share.corrections.read_notices import (
    RejectionReason,
    Response,
    acknowledge,
    note_read,
    read_notices,
)

router = APIRouter(prefix="/v1/corrections", tags=["corrections"])


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


class CorrectionsAnswer(Answer):
    """A page of the source's correction notices; the next one has `after` = `next` and the same `epoch`."""

    notices: list[NoticeLine] = Field(validation_alias="lines")
    next: int
    epoch: str
    more: bool


class NoticeResponse(Body):
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


class Acknowledgement(Body):
    """The agency has stored every line up to the sequence `acknowledged`; 0 acknowledges none.

    `epoch` is that of the pages with these lines.
    """

    acknowledged: Annotated[int, Field(ge=0, lt=2**63), WHOLE_NUMBER]
    epoch: UUID | None = None
    responses: list[NoticeResponse] = Field(default=[], max_length=500)


class AcknowledgementAnswer(Answer):
    """The sequences up to which the source has acknowledged and fetched notices; both only grow."""

    acknowledged: int
    fetched: int


@router.get("", operation_id="readCorrections", responses=out_of_sequence())
def corrections(
    hub: TheHub, caller: TheCaller, request_id: RequestId, wanted: Annotated[FeedQuery, Query()]
) -> CorrectionsAnswer:
    """Read the correction notices about the agency's own source, on from a sequence."""
    with _corrections(hub, caller, request_id, "corrections") as (request, own):
        request.attributes = request.agreement.noticed()
        request.open(feed=feed_name(own.source), after=wanted.after, lines=wanted.limit)
        page = read_notices(request.connection, request.agreement, wanted.start)
        request.page = logged_page(hub.pseudonym_key, feed_name(own.source), page.disclosed)
        note_read(request.connection, own, caller.client_id, wanted.after, page.next)
        return CorrectionsAnswer.model_validate(page)


@router.post("/acknowledgements", operation_id="acknowledgeCorrections", responses=out_of_sequence())
def acknowledgements(
    body: Acknowledgement, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> AcknowledgementAnswer:
    """Acknowledge notices up to a sequence, and respond to single ones."""
    responses = [
        notices.NoticeResponse(given.notice, given.response, given.reason) for given in body.responses
    ]
    with _corrections(hub, caller, request_id, "acknowledgement") as (request, own):
        request.open()
        reached = acknowledge(
            request.connection,
            request.agreement,
            own,
            body.acknowledged,
            responses,
            client_id=caller.client_id,
            epoch=str(body.epoch) if body.epoch else None,
        )
        return AcknowledgementAnswer.model_validate(reached)


@contextmanager
def _corrections(
    hub: Hub, caller: Caller, request_id: UUID, action: Action
) -> Iterator[tuple[AuditedRequest, Corrections]]:
    """Open an audited request for the notices that the agreement covers, logged with their legal basis."""
    with audited_request(hub, caller, request_id, action) as request:
        own = require_corrections(request.agreement, today())
        request.legal_basis = own.legal_basis
        yield request, own
