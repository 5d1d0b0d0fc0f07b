"""The endpoints by which a source reads its correction notices and answers them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from oncehub.api.auth.tokens import Caller
from oncehub.api.core.audited_request import Inquiry, inquiry
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.v1.bodies import (
    Acknowledgement,
    AcknowledgementAnswer,
    CorrectionsAnswer,
    FeedQuery,
    NoticeLine,
)
from oncehub.api.v1.routes import RequestId, TheCaller
from oncehub.audit.log.entries import Action
from oncehub.audit.log.pages import page as logged_page
from oncehub.config.agreements import Corrections
from oncehub.share.agreements.permissions import require_corrections, today
from oncehub.share.corrections.notices import NoticeResponse, acknowledge, note_read, read_notices
from oncehub.share.corrections.publish import feed_name

router = APIRouter(prefix="/v1/corrections", tags=["corrections"])


@router.get("", operation_id="readCorrections")
def corrections(
    hub: TheHub, caller: TheCaller, request_id: RequestId, wanted: Annotated[FeedQuery, Query()]
) -> CorrectionsAnswer:
    """Read what the agency's own source is told of its records, on from a sequence."""
    with _corrections(hub, caller, request_id, "corrections") as (asked, own):
        asked.attributes = asked.agreement.noticed()
        page = read_notices(asked.connection, asked.agreement, wanted.after, wanted.limit)
        asked.page = logged_page(hub.pseudonym_key, feed_name(own.source), page.told)
        note_read(asked.connection, own, caller.client_id, wanted.after, page.next)
        lines = [NoticeLine(**line) for line in page.notices]
        return CorrectionsAnswer(notices=lines, next=page.next, more=page.more)


@router.post("/acknowledgements", operation_id="acknowledgeCorrections")
def acknowledgements(
    body: Acknowledgement, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> AcknowledgementAnswer:
    """Acknowledge notices up to a sequence, and say what becomes of single ones."""
    responses = [NoticeResponse(given.notice, given.response, given.reason) for given in body.responses]
    with _corrections(hub, caller, request_id, "acknowledgement") as (asked, own):
        reached = acknowledge(
            asked.connection, asked.agreement, own, body.acknowledged, responses, client_id=caller.client_id
        )
        return AcknowledgementAnswer(acknowledged=reached.acknowledged, fetched=reached.fetched)


@contextmanager
def _corrections(
    hub: Hub, caller: Caller, request_id: UUID, action: Action
) -> Iterator[tuple[Inquiry, Corrections]]:
    """Open a question about the notices that the agreement entitles to, logged under their legal basis."""
    with inquiry(hub, caller, request_id, action) as asked:
        own = require_corrections(asked.agreement, today())
        asked.legal_basis = own.legal_basis
        yield asked, own
