"""The caller and the id of a request, as every route receives them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from oncehub.api.auth.tokens import Caller
from oncehub.api.core.hub import TheHub
from oncehub.errors import NotAuthenticated

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
