"""`POST /v1/token`: client credentials with a signed assertion (RFC 6749 section 4.4, RFC 7523)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse

from oncehub.api.hub import TheHub
from oncehub.api.tokens import TOKEN_SECONDS, issue_token, verify_assertion
from oncehub.model.errors import NotAuthenticated

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

router = APIRouter(prefix="/v1")


@router.post("/token")
def token(
    hub: TheHub,
    grant_type: Annotated[str, Form()] = "",
    client_assertion_type: Annotated[str, Form()] = "",
    client_assertion: Annotated[str, Form()] = "",
    client_id: Annotated[str | None, Form()] = None,
) -> JSONResponse:
    """Give a bearer token for an assertion; errors have the form of RFC 6749 section 5.2."""
    if grant_type != "client_credentials":
        return _refused(400, "unsupported_grant_type", "send grant_type=client_credentials")
    if client_assertion_type != ASSERTION_TYPE or not client_assertion:
        return _refused(
            400, "invalid_request", f"send client_assertion_type={ASSERTION_TYPE} and client_assertion"
        )
    try:
        with hub.database.transaction() as connection:
            caller = verify_assertion(connection, client_assertion, hub.issuer)
            hub.require_pinned(caller)
    except NotAuthenticated as error:
        return _refused(401, "invalid_client", str(error))
    if client_id not in (None, caller.client_id):
        return _refused(401, "invalid_client", "client_id is not the assertion's subject")
    return JSONResponse(
        {
            "access_token": issue_token(hub.token_keys.signing, caller, hub.issuer),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
        }
    )


def _refused(status: int, error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status)
