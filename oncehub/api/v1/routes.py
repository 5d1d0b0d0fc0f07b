"""The endpoints that answer agencies."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from oncehub.api.auth.tokens import Caller, admission, check_admission
from oncehub.api.core.audited_request import inquiry
from oncehub.api.core.hub import TheHub
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_named, require_search_terms
from oncehub.api.v1.bodies import (
    AgreementAnswer,
    FeedAnswer,
    FeedLine,
    FeedQuery,
    LookupAnswer,
    LookupRequest,
)
from oncehub.audit.log.pages import page as logged_page
from oncehub.errors import NotAuthenticated
from oncehub.share.agreements.permissions import (
    require_attributes,
    require_feed,
    require_purpose,
    require_search,
    today,
)
from oncehub.share.delivery.offsets import note_page
from oncehub.share.feeds.entries import read_changes
from oncehub.share.people.lookup import find_person

router = APIRouter(prefix="/v1")
_bearer = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="A token from `POST /v1/token`: bound to the client, its key, its agreement and the officer.",
    auto_error=False,
)


# Dependencies that wait for nothing: as coroutines they need no thread of their own.
async def _caller(
    hub: TheHub, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    if credentials is None:
        raise NotAuthenticated("send a bearer token from POST /v1/token")
    caller = hub.verified.caller(credentials.credentials)
    hub.require_pinned(caller)
    return caller


async def _request_id(request: Request) -> UUID:
    request_id: UUID = request.state.request_id
    return request_id


TheCaller = Annotated[Caller, Depends(_caller)]
RequestId = Annotated[UUID, Depends(_request_id)]


@router.post(
    "/persons/lookup",
    operation_id="lookUpPerson",
    tags=["persons"],
    responses=answers(404),
    response_model=LookupAnswer,
)
def lookup(body: LookupRequest, hub: TheHub, caller: TheCaller, request_id: RequestId) -> Response:
    """Look one person up: only attributes, and only search terms, that the agreement covers."""
    require_named(body.attributes, hub.attributes)
    require_search_terms(body.search, hub.attributes)
    wanted = tuple(dict.fromkeys(body.attributes))
    with inquiry(hub, caller, request_id, "lookup", attributes=wanted) as asked:
        require_purpose(asked.agreement, body.purpose)
        require_search(asked.agreement, body.search)
        require_attributes(asked.agreement, wanted)
        person = asked.found(find_person(asked.connection, asked.agreement, body.search, wanted))
        values = {
            name: {"value": believed.value, "source": believed.source, "as_of": believed.as_of}
            for name, believed in person.attributes.items()
        }
        # As LookupAnswer says, without building and checking one for each of many a second.
        document = {"attributes": values, "request_id": str(request_id)}
        return Response(orjson.dumps(document), media_type="application/json")


@router.get("/feeds/{feed}/changes", operation_id="readFeed", tags=["feeds"])
def changes(
    feed: Annotated[str, Path(max_length=40)],
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
    wanted: Annotated[FeedQuery, Query()],
) -> FeedAnswer:
    """Read the feed that the agreement entitles to, on from a sequence."""
    with inquiry(hub, caller, request_id, "feed") as asked:
        asked.attributes = asked.agreement.attributes
        require_feed(asked.agreement, feed)
        page = read_changes(asked.connection, asked.agreement, wanted.after, wanted.limit, hub.pseudonym_key)
        lines = [FeedLine(**line) for line in page.changes]
        asked.page = logged_page(hub.pseudonym_key, feed, page.told)
        note_page(asked.connection, feed, caller.client_id, wanted.after, page.next)
        return FeedAnswer(changes=lines, next=page.next, more=page.more)


@router.get(
    "/agreements/mine", operation_id="getOwnAgreement", tags=["access"], responses=answers(never=(403,))
)
def mine(hub: TheHub, caller: TheCaller) -> AgreementAnswer:
    """Show the caller's own agreement; nothing about persons."""
    agreement = hub.agreement(caller.agreement)
    hub.per_second.take(agreement)
    with hub.database.begun_by(admission(caller)) as (connection, admitted):
        check_admission(caller, admitted)
        left = hub.per_day.left(connection, agreement)
    return AgreementAnswer.of(agreement, day=today(), left=left)
