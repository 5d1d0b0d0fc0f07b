"""`POST /v1/token`: client credentials with a signed assertion (RFC 6749 section 4.4, RFC 7523)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from oncehub.api.auth.assertions import assertion_id, verify_assertion
from oncehub.api.auth.tokens import Caller, check_officer, check_pinned, claimed_client, issue_token
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.http.oauth import ASSERTION_TYPE, ID_TOKEN_TYPE, TOKEN_SECONDS
from oncehub.errors import EvidenceRefused, NotAuthenticated
from oncehub.share.identity.evidence import Expected, use_up, verify_evidence
from oncehub.share.identity.nonce import officer_sign_in
from oncehub.share.request_proofs import proving
from oncehub.store.connection import Connection

_FORM = "application/x-www-form-urlencoded"
_PARAMETERS = (
    "grant_type",
    "client_assertion_type",
    "client_assertion",
    "client_id",
    "actor_token",
    "actor_token_type",
)

_ASSERTION = """
A JWT signed by one of the client's keys (Ed25519 or ES256; header `kid`: the key's RFC 7638 thumbprint), used
once. Claims: `iss` and `sub` the client's id, `aud` the hub's identifier and nothing else, `exp` at most five
minutes ahead, `jti` a number used once; `act`, `{"sub": "…"}`, names the officer who acts through the client.
"""
_OFFICER_EVIDENCE = """
An ID token by which an identity provider proves the officer whom the assertion names; its nonce is computed
from the assertion's `jti`.
"""

_REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        _FORM: {
            "schema": {
                "type": "object",
                "required": ["grant_type", "client_assertion_type", "client_assertion"],
                "properties": {
                    "grant_type": {"const": "client_credentials"},
                    "client_assertion_type": {"const": ASSERTION_TYPE},
                    "client_assertion": {
                        "type": "string",
                        "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
                        "description": _ASSERTION,
                    },
                    "client_id": {
                        "type": "string",
                        "description": "Where it is sent, the assertion's subject.",
                    },
                    "actor_token": {"type": "string", "maxLength": 16_384, "description": _OFFICER_EVIDENCE},
                    "actor_token_type": {
                        "const": ID_TOKEN_TYPE,
                        "description": "Required with actor_token (RFC 8693 section 2.1).",
                    },
                },
            }
        }
    },
}


class TokenAnswer(BaseModel):
    """A bearer token (RFC 6749 section 5.1), bound to the client, its key, its agreement and the officer."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(examples=[TOKEN_SECONDS], description="Seconds.")


class TokenError(BaseModel):
    """Why no token is issued (RFC 6749 section 5.2)."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type"]
    error_description: str


class TokenRefused(Exception):
    """A token is not issued; answered in the form of RFC 6749 section 5.2."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error


def refuse_token(_: Request, error: Exception) -> JSONResponse:
    """Answer a `TokenRefused`."""
    status, code = (
        (error.status, error.error) if isinstance(error, TokenRefused) else (400, "invalid_request")
    )
    # RFC 9110 section 15.5.2: a 401 names a scheme, though none says that assertions are sent in the body.
    headers = {"WWW-Authenticate": f'Bearer error="{code}"'} if status == 401 else None
    return JSONResponse({"error": code, "error_description": str(error)}, status, headers)


async def _read_form(request: Request) -> dict[str, str]:
    """Return the parameters; each may be sent once, and unknown ones are ignored (RFC 6749 section 3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise TokenRefused(400, "invalid_request", f"send the parameters in a body of type {_FORM}")
    try:
        text = (await request.body()).decode("utf-8")
        sent = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise TokenRefused(400, "invalid_request", "the body is not a form in UTF-8") from None
    pairs = [pair for pair in sent if pair[0] in _PARAMETERS]
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefused(400, "invalid_request", "a parameter is sent twice")
    return form


router = APIRouter(prefix="/v1", tags=["access"])


@router.post(
    "/token",
    operation_id="requestToken",
    responses={
        400: {"model": TokenError, "description": "The request is not valid: see `error_description`."},
        401: {"model": TokenError, "description": "The assertion is not accepted. Sign a new one."},
        429: {"description": "Too many tokens, or failures to authenticate: wait for `Retry-After`."},
    },
    openapi_extra={"requestBody": _REQUEST_BODY},
)
def token(request: Request, hub: TheHub, form: Annotated[dict[str, Any], Depends(_read_form)]) -> TokenAnswer:
    """Issue a bearer token for an assertion, to be sent as `Authorization: Bearer …`."""
    if form.get("grant_type") != "client_credentials":
        raise TokenRefused(400, "unsupported_grant_type", "send grant_type=client_credentials")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
        raise TokenRefused(
            400, "invalid_request", f"send client_assertion_type={ASSERTION_TYPE} and client_assertion"
        )
    if form.get("actor_token") and form.get("actor_token_type") != ID_TOKEN_TYPE:
        raise TokenRefused(400, "invalid_request", f"send actor_token_type={ID_TOKEN_TYPE} with actor_token")
    request.state.claimed = claimed_client(form["client_assertion"])
    try:
        caller = _authenticated(hub, form, request.state.request_id)
    except NotAuthenticated as error:
        hub.failures.count(request.state.source, request.state.claimed)
        raise TokenRefused(401, "invalid_client", str(error)) from None
    request.state.caller, request.state.claimed = caller, None
    with hub.database.transaction() as connection:
        hub.limits.take_token(connection, hub.agreement(caller.agreement), caller.client_id)
    issued = issue_token(hub.token_keys.signing, caller, hub.issuer)
    return TokenAnswer(access_token=issued, token_type="Bearer", expires_in=TOKEN_SECONDS)  # noqa: S106


def _authenticated(hub: Hub, form: dict[str, Any], request_id: UUID) -> Caller:
    """Return the client that signed the assertion, which is used up."""
    with hub.database.transaction() as connection, proving(hub.proof_keys, request_id):
        caller = verify_assertion(connection, form["client_assertion"], hub.issuer)
        agreement = hub.agreement(caller.agreement)
        check_pinned(caller, agreement)
        if form.get("actor_token"):
            try:
                caller = _proven_officer(hub, connection, caller, form)
            except EvidenceRefused as error:
                raise NotAuthenticated(f"the officer is not proven ({error.check}): {error}") from None
        check_officer(caller, agreement)
    if form.get("client_id") not in (None, caller.client_id):
        raise NotAuthenticated("client_id is not the assertion's subject")
    return caller


def _proven_officer(hub: Hub, connection: Connection, caller: Caller, form: dict[str, Any]) -> Caller:
    """Return the caller with the officer whom the actor token proves; the actor token is used up."""
    agreement = hub.agreement(caller.agreement)
    asked = officer_sign_in(
        hub.issuer, caller.client_id, agreement.name, assertion_id(form["client_assertion"])
    )
    expected = Expected("officers", agreement.agency.id, asked.nonce(), time.time())
    proven = verify_evidence(hub.identity_providers.current(), form["actor_token"], expected)
    if proven.subject != caller.officer:
        raise EvidenceRefused("subject", "it is of another than the assertion's claim act names")
    use_up(connection, proven)
    return replace(caller, officer_proven=True)
