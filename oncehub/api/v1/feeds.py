"""Feeds: the changes that an agreement entitles to."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from oncehub.api.core.audited_request import RequestId, TheCaller, audited_request
from oncehub.api.core.hub import TheHub
from oncehub.api.http.bodies import NAME, Answer, Body
from oncehub.api.http.description import out_of_sequence
from oncehub.audit.log.entries import page as logged_page
from oncehub.share.agreements.permissions import (
    require_feed,
)
from oncehub.share.delivery.consumer_offsets import note_page
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.entries import read_changes

router = APIRouter(prefix="/v1")


class FeedQuery(Body):
    """Read on after the line with the sequence `after`, 0 for the start, of a page with this `epoch`."""

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 500
    epoch: UUID | None = None

    @property
    def start(self) -> Start:
        """Where the consumer reads on."""
        return Start(self.after, self.limit, str(self.epoch) if self.epoch else None)


class FeedLine(BaseModel):
    """One person's change; see `oncehub.share.FeedPage`."""

    sequence: int
    person: str
    kind: str
    changed: list[str]
    values: dict[str, Any]
    as_of: str
    merged_into: str | None = None


class FeedAnswer(Answer):
    """A page of a feed; request the next one with `after` = `next` and the same `epoch`."""

    changes: list[FeedLine] = Field(validation_alias="lines")
    next: int
    epoch: str
    more: bool


@router.get("/feeds/{feed}/changes", operation_id="readFeed", tags=["feeds"], responses=out_of_sequence())
def changes(
    feed: Annotated[str, Path(pattern=NAME)],
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
    wanted: Annotated[FeedQuery, Query()],
) -> FeedAnswer:
    """Read the feed of the agreement, on from a sequence."""
    with audited_request(hub, caller, request_id, "feed") as request:
        request.attributes = request.agreement.attributes
        require_feed(request.agreement, feed)
        request.open(feed=feed, after=wanted.after, lines=wanted.limit)
        page = read_changes(request.connection, request.agreement, wanted.start, hub.pseudonym_key)
        request.page = logged_page(hub.pseudonym_key, feed, page.disclosed)
        note_page(request.connection, feed, caller.client_id, wanted.after, page.next)
        return FeedAnswer.model_validate(page)
