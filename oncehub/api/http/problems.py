"""Errors as problem details (RFC 9457): what went wrong, never with whose data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import asyncpg
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
    EvidenceRefused,
    Fault,
    KeyMissing,
    LogUnsigned,
    NotAuthenticated,
    NotFetched,
    OutOfSequence,
    PersonNotFound,
    PersonNotLiving,
    Refusal,
    ResourcesExhausted,
    RunBusy,
    StoreError,
    StoreOutdated,
    SubmissionInvalid,
    SubmissionRefused,
    TooManyRequests,
)
from oncehub.store.failures import may_pass, passes

_log = logging.getLogger("oncehub.api")

_NOTHING_OUT = "the hub failed; nothing was disclosed"
_DETAILS = {
    404: "there is no such path; see /openapi.json",
    405: "the path does not have this method; see Allow",
}
_UNAVAILABLE = "the hub's database does not answer now; try again"
_OUT_OF_STEP = "the hub's database is being changed, or is not as this version needs it; try again"
_UNDECIPHERABLE = "a requested value cannot be decrypted now; the operator must restore the key"


class _Answer(NamedTuple):
    """How an error is answered.

    `retry_after`: seconds. `detail`: sent instead of the message, which only the server's log then has.
    `log_advice`: what the server's log tells the operator to do.
    """

    status: int
    retry_after: int | None = None
    detail: str | None = None
    log_advice: str = ""


_ANSWERS: Final[Mapping[type[Exception], _Answer]] = {
    NotAuthenticated: _Answer(401),
    AccessDenied: _Answer(403),
    PersonNotFound: _Answer(404),
    CaseNotFound: _Answer(404),
    ConsentNotFound: _Answer(404),
    ConsentRefused: _Answer(409),
    PersonNotLiving: _Answer(409),
    DecisionRefused: _Answer(409),
    CorrectionRefused: _Answer(409),
    SubmissionRefused: _Answer(409),
    SubmissionInvalid: _Answer(422),
    OutOfSequence: _Answer(409),
    NotFetched: _Answer(422),
    TooManyRequests: _Answer(429),
    RunBusy: _Answer(503, 60),
    LogUnsigned: _Answer(503, 60, log_advice="; run `oncehub audit checkpoint`"),
    StoreOutdated: _Answer(503, 5, _OUT_OF_STEP),
    StoreError: _Answer(503, 5, _UNAVAILABLE),
    ResourcesExhausted: _Answer(503, 5, _UNAVAILABLE),
    KeyMissing: _Answer(503, 3600, _UNDECIPHERABLE),
    DecryptionFailed: _Answer(503, 3600, _UNDECIPHERABLE),
}


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    for kind in _ANSWERS:
        app.add_exception_handler(kind, answer_error)
    app.add_exception_handler(psycopg2.Error, _database)
    app.add_exception_handler(asyncpg.PostgresError, _database)
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


def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an error of the hub."""
    answer = next(_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
    if answer.status == 503 and not isinstance(error, RunBusy):
        _log.error("%s: %s%s", request.state.request_id, error, answer.log_advice)
    request.state.logged = isinstance(error, Refusal) and error.logged
    headers = {}
    wait = error.retry_after if isinstance(error, TooManyRequests) else answer.retry_after
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if answer.status == 401:
        # RFC 6750 section 3: no error code where no token was sent.
        sent = "authorization" in request.headers
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if sent else "Bearer"
    return problem(request, answer.status, answer.detail or str(error), headers=headers, **_members(error))


def _members(error: Exception) -> dict[str, Any]:
    """Return what the problem document of an error has beside the detail."""
    match error:
        case OutOfSequence():
            return {"last_sequence": error.last_sequence, "epoch": error.epoch}
        case AccessDenied() if not isinstance(error, NotAuthenticated):
            check = {"check": error.check} if isinstance(error, EvidenceRefused) else {}
            return {"refused": list(error.refused), **check}
        case CorrectionRefused(case=int(case)):
            return {"case": case}
        case NotFetched():
            return {"errors": [_located(Fault(error.place, str(error)))]}
        case SubmissionInvalid():
            return {"errors": [_located(fault) for fault in error.faults]}
    return {}


def _located(fault: Fault) -> dict[str, str]:
    return {"pointer": "/".join(["#", *map(str, fault.place)]), "detail": fault.detail}


def _database(request: Request, error: Exception) -> JSONResponse:
    # The server's message may quote values.
    state = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)
    _log.error("%s: the database refused: %s %s", request.state.request_id, type(error).__name__, state)
    if may_pass(error) if isinstance(error, psycopg2.Error) else passes(state or ""):
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
