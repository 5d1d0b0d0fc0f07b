"""The endpoints that answer agencies."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from oncehub.api.bodies import (
    AgreementAnswer,
    Asked,
    FeedAnswer,
    FeedLine,
    FeedQuery,
    Filled,
    LookupAnswer,
    LookupRequest,
    PrefillAnswer,
    PrefillRequest,
    ProcedureHead,
    Value,
)
from oncehub.api.hub import TheHub
from oncehub.api.inquiry import inquiry
from oncehub.api.terms import require_known, require_search_terms
from oncehub.api.tokens import Caller, require_admitted, verify_token
from oncehub.model.errors import NotAuthenticated, PersonNotFound
from oncehub.model.sharing import Procedure
from oncehub.share import find_for_form, find_person, prefill, read_changes, require_living
from oncehub.share.permissions import (
    require_attributes,
    require_feed,
    require_procedure,
    require_purpose,
    require_search,
    today,
)
from oncehub.share.prefill import LIFE_STATUS
from oncehub.share.receipts import note_page

NOBODY = "no person, or more than one, fits the search"

router = APIRouter(prefix="/v1")
_bearer = HTTPBearer(auto_error=False)


def _caller(
    hub: TheHub, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    if credentials is None:
        raise NotAuthenticated("send a bearer token from POST /v1/token")
    caller = verify_token(hub.token_keys, credentials.credentials, hub.issuer)
    hub.require_pinned(caller)
    return caller


def _request_id(request: Request) -> UUID:
    request_id: UUID = request.state.request_id
    return request_id


TheCaller = Annotated[Caller, Depends(_caller)]
RequestId = Annotated[UUID, Depends(_request_id)]


@router.post("/persons/lookup")
def lookup(body: LookupRequest, hub: TheHub, caller: TheCaller, request_id: RequestId) -> LookupAnswer:
    """Look one person up: only attributes, and only search terms, that the agreement covers."""
    require_known(body.attributes, hub.attributes, "attributes")
    require_search_terms(body.search, hub.attributes)
    wanted = tuple(dict.fromkeys(body.attributes))
    with inquiry(hub, caller, request_id, "lookup", attributes=wanted) as asked:
        require_purpose(asked.agreement, body.purpose)
        require_search(asked.agreement, body.search)
        require_attributes(asked.agreement, wanted)
        person = find_person(asked.connection, asked.agreement, body.search, wanted)
        if person is None:
            raise PersonNotFound(NOBODY)
        asked.person_key = person.key
        values = {
            name: Value(value=believed.value, source=believed.source, as_of=believed.as_of)
            for name, believed in person.attributes.items()
        }
        return LookupAnswer(attributes=values, request_id=str(request_id))


@router.post("/procedures/{code}/prefill")
def fill(
    code: Annotated[str, Path(max_length=40)],
    body: PrefillRequest,
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
) -> PrefillAnswer:
    """Answer a procedure's form for one person: items filled, and items still to ask."""
    require_search_terms(body.search, hub.attributes)
    known = code if code in hub.procedures else None
    with inquiry(hub, caller, request_id, "prefill", procedure=known) as asked:
        procedure = require_procedure(asked.agreement, hub.procedures.get(code), today())
        require_search(asked.agreement, body.search)
        person = find_for_form(asked.connection, procedure, asked.agreement, body.search)
        if person is None:
            raise PersonNotFound(NOBODY)
        asked.person_key = person.key
        # A refusal for it tells it, so the log must.
        asked.attributes = (LIFE_STATUS,)
        require_living(person)
        form = prefill(person, procedure, asked.agreement)
        asked.attributes = form.released
        return PrefillAnswer(
            procedure=_head(procedure),
            items={name: Filled(**vars(item)) for name, item in form.items.items()},
            ask={name: Asked(**vars(item)) for name, item in form.ask.items()},
            request_id=str(request_id),
        )


@router.get("/feeds/{feed}/changes")
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
        note_page(asked.connection, feed, caller.client_id, wanted.after, page.next)
        return FeedAnswer(changes=lines, next=page.next, more=page.more)


@router.get("/agreements/mine")
def mine(hub: TheHub, caller: TheCaller) -> AgreementAnswer:
    """Show the caller's own agreement; nothing about persons."""
    with hub.database.transaction() as connection:
        require_admitted(connection, caller)
    agreement = hub.agreement(caller.agreement)
    return AgreementAnswer.of(agreement, in_force=agreement.in_force(today()))


def _head(procedure: Procedure) -> ProcedureHead:
    return ProcedureHead(
        code=procedure.code,
        name=procedure.name.vi,
        owner=procedure.owner,
        form=procedure.form,
        legal=[basis.text for basis in procedure.legal if basis.in_force(today())],
    )
