"""Errors as problem details (RFC 9457): what went wrong, never with whose data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import psycopg2
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Route

from oncehub.errors import (
    AccessDenied,
    CaseNotFound,
    ConsentNotFound,
    ConsentRefused,
    CorrectionRefused,
    DecisionRefused,
    DecryptionFailed,
    KeyMissing,
    LogUnsigned,
    NotAuthenticated,
    NotFetched,
    PersonNotFound,
    PersonNotLiving,
    RunBusy,
    StoreError,
    SubmissionInvalid,
    SubmissionRefused,
    TooManyRequests,
)

_log = logging.getLogger("oncehub.api")

_NOTHING_OUT = "the hub failed; nothing was disclosed"
_DETAILS = {
    404: "there is no such path; see /openapi.json",
    405: "the path does not have this method; see Allow",
}
_SEALED_AWAY = "a requested value cannot be decrypted now; the operator must restore the key"
_UNAVAILABLE = "the hub's database does not answer now; try again"


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(NotAuthenticated, _not_authenticated)
    app.add_exception_handler(AccessDenied, _denied)
    app.add_exception_handler(PersonNotFound, _not_found)
    app.add_exception_handler(CaseNotFound, _not_found)
    app.add_exception_handler(ConsentNotFound, _not_found)
    app.add_exception_handler(ConsentRefused, _conflict)
    app.add_exception_handler(PersonNotLiving, _conflict)
    app.add_exception_handler(DecisionRefused, _conflict)
    app.add_exception_handler(CorrectionRefused, _correction)
    app.add_exception_handler(SubmissionRefused, _conflict)
    app.add_exception_handler(SubmissionInvalid, _unfit)
    app.add_exception_handler(RunBusy, _busy)
    app.add_exception_handler(NotFetched, _not_fetched)
    app.add_exception_handler(TooManyRequests, _too_many)
    app.add_exception_handler(LogUnsigned, _unsigned)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(KeyMissing, _cannot_decrypt)
    app.add_exception_handler(DecryptionFailed, _cannot_decrypt)
    app.add_exception_handler(psycopg2.Error, _database)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """Build a problem document; `instance` is the request's id, which the access log holds too."""
    request_id = request.state.request_id
    document = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": f"urn:uuid:{request_id}",
        **members,
    }
    # Unexpected errors are answered outside the middleware that sets these headers.
    framed = {"X-Request-Id": str(request_id), "Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(document, status, framed, media_type="application/problem+json")


def _not_authenticated(request: Request, error: Exception) -> JSONResponse:
    # RFC 6750 section 3: no error code where no token was sent.
    challenge = 'Bearer error="invalid_token"' if "authorization" in request.headers else "Bearer"
    return problem(request, 401, str(error), headers={"WWW-Authenticate": challenge})


def _denied(request: Request, error: Exception) -> JSONResponse:
    refused = list(error.refused) if isinstance(error, AccessDenied) else []
    return problem(request, 403, str(error), refused=refused)


def _not_found(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 404, str(error))


def _conflict(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 409, str(error))


def _correction(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, CorrectionRefused) and error.case:
        return problem(request, 409, str(error), case=error.case)
    return problem(request, 409, str(error))


def _not_fetched(request: Request, error: Exception) -> JSONResponse:
    place = error.place if isinstance(error, NotFetched) else ()
    pointer = "/".join(["#", *map(str, place)])
    return problem(request, 422, str(error), errors=[{"pointer": pointer, "detail": str(error)}])


def _unfit(request: Request, error: Exception) -> JSONResponse:
    faults = error.faults if isinstance(error, SubmissionInvalid) else ()
    errors = [
        {"pointer": "/".join(["#", *map(str, fault.place)]), "detail": fault.detail} for fault in faults
    ]
    return problem(request, 422, str(error), errors=errors)


def _busy(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 503, str(error), headers={"Retry-After": "60"})


def _too_many(request: Request, error: Exception) -> JSONResponse:
    wait = error.retry_after if isinstance(error, TooManyRequests) else 1
    return problem(request, 429, str(error), headers={"Retry-After": str(wait)})


def _unsigned(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s: %s; run `oncehub audit checkpoint`", request.state.request_id, error)
    return problem(request, 503, str(error), headers={"Retry-After": "60"})


def _cannot_decrypt(request: Request, error: Exception) -> JSONResponse:
    """Answer that a stored value cannot be decrypted; only the log names the missing key."""
    _log.error("%s: %s", request.state.request_id, error)
    return problem(request, 503, _SEALED_AWAY, headers={"Retry-After": "3600"})


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s: %s", request.state.request_id, error)
    return problem(request, 503, _UNAVAILABLE, headers={"Retry-After": "5"})


def _database(request: Request, error: Exception) -> JSONResponse:
    # The server's message may quote values.
    state = error.pgcode if isinstance(error, psycopg2.Error) else None
    _log.error("%s: the database refused: %s %s", request.state.request_id, type(error).__name__, state)
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return problem(request, 503, _UNAVAILABLE, headers={"Retry-After": "5"})
    return problem(request, 500, _NOTHING_OUT)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [{"pointer": _pointer(fault), "detail": _message(fault)} for fault in faults]
    return problem(request, 422, "the request does not match its schema", errors=errors)


def _pointer(fault: Mapping[str, Any]) -> str:
    """Return the place down to a field; names of unknown fields may be the caller's data."""
    place, *below = fault["loc"]
    named = below[:-1] if fault["type"] == "extra_forbidden" else below
    shown = [str(part) for index, part in enumerate(named) if index == 0 or isinstance(part, int)]
    return "/".join(["#" if place == "body" else str(place), *shown])


def _message(fault: Mapping[str, Any]) -> str:
    """Return the message without the characters of the caller's value that some messages quote."""
    kind, text = str(fault["type"]), str(fault["msg"])
    if kind == "union_tag_invalid":
        return "is of no kind that is known"
    return text.partition(", ")[0] if kind.endswith("_parsing") else text


def _http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 405:
        # Starlette returns the methods of the first route only.
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    return problem(request, status, _DETAILS.get(status, detail), headers=headers)


def _allowed(request: Request) -> set[str]:
    """Return the methods of the path."""
    methods: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route | APIRoute) and route.path_regex.match(request.scope["path"]):
            methods |= route.methods or set()
    return methods | ({"HEAD"} if "GET" in methods else set())


def _unexpected(request: Request, _: Exception) -> JSONResponse:
    # The server logs the traceback; the message may quote values.
    return problem(request, 500, _NOTHING_OUT)
