"""The OpenAPI document: what FastAPI derives from the routes, and what all routes have in common.

A route declares its own refusals with `responses=answers(...)`; those that follow from its parameters (body,
token, path) are added here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from oncehub.config.entities import Attribute

KNOWN = "x-oncehub-known"
"""Marks a schema to complete from the canonical schemas: `attribute`, `attributes`, `search_terms`."""

_NEVER = "x-oncehub-never"

PROBLEM_TYPE = "application/problem+json"

_ABOUT = """
The hub answers agencies under an agreement, which defines who may see what for which purpose; read yours at
`GET /v1/agreements/mine`. Request a bearer token at `POST /v1/token` with an assertion that a key of
your client signed (private_key_jwt), and send it with every request. Identifiers are sent in bodies only.

Every response has the header `X-Request-Id`, which the access log records, too: quote it in questions about a
response. Refusals are problem documents (RFC 9457) and repeat nothing of the request.
"""

_TAGS = {
    "access": "Tokens, and the caller's own agreement.",
    "persons": "Golden records of single people, within the agreement.",
    "procedures": "Prefilled forms of administrative procedures, and their submission.",
    "feeds": "Changes of all people within the agreement, read on from a sequence.",
    "corrections": "Correction notices to a source about its own records, and its responses.",
    "cases": "Cases that officers decide; each request must name an officer.",
    "consents": "Consents of citizens, recorded and withdrawn by a portal on their behalf.",
    "usage": "What a portal shows to citizens: who received their data, and their correction requests.",
    "service": "Readiness, liveness and figures of the API.",
}

_WHAT_TO_DO = {
    400: "The head can be read in two ways (a header or parameter twice, a path encoded twice), or the body "
    "is not I-JSON (RFC 7493): not UTF-8, not JSON, a duplicate name, NaN. Correct it.",
    401: "The token is missing or expired, or its client or key is no longer valid. Request a new token.",
    403: "The agreement does not allow it; `refused` lists the attributes. Do not repeat: request less.",
    404: "Nothing that this agreement covers; for people: no match, or more than one.",
    409: "The present state does not allow it. Read it again, then decide.",
    413: "The body is too large. Send less at a time.",
    415: "The media type of the body is not the one described here, or it has another charset or encoding.",
    422: "The request does not match the schema; `errors` lists the places. Do not repeat.",
    429: "The limit of the agreement is reached. Repeat after the seconds in `Retry-After`.",
    500: "The hub failed, and nothing was disclosed. Report the request id to the operator.",
    503: "The hub cannot answer now. Repeat after the seconds in `Retry-After`.",
}


class Problem(BaseModel):
    """A refusal (RFC 9457): `instance` is the request's id, by which the operator finds it."""

    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no person, or more than one, fits the search"])
    instance: str = Field(pattern="^urn:uuid:[0-9a-f-]{36}$")


class DeniedProblem(Problem):
    """A refusal by the agreement; `refused` names the attributes it does not cover, or is empty.

    `check` is there where nothing proves the citizen: the check that failed, such as `nonce`; `missing`
    without evidence.
    """

    refused: list[str] = Field(examples=[["person.religion"]])
    check: str | None = Field(None, examples=["nonce"])


class SequenceProblem(Problem):
    """The consumer cannot have the lines up to `after`, or they are of another epoch: take a new snapshot.

    Read from `after` 0 and replace what you hold; `last_sequence` is the sequence of the last line.
    """

    last_sequence: int = Field(examples=[4711])
    epoch: str = Field(examples=["7f0c1f0e-3b0a-4f5e-9c55-0d6f4a0a1b2c"])


class Fault(BaseModel):
    """One fault: `pointer` is its place (`#/search`), `detail` what belongs there."""

    pointer: str = Field(examples=["#/attributes/1"])
    detail: str = Field(examples=["is not a known attribute; did you mean person.full_name?"])


class FormProblem(Problem):
    """A request that does not match its schema."""

    errors: list[Fault]


_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_SPECIAL: dict[int, type[Problem]] = {403: DeniedProblem, 422: FormProblem}
_REQUEST_ID = {
    "description": "The request's id, which the access log holds too.",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}
_NO_STORE = {"required": True, "schema": {"type": "string", "const": "no-store"}}
_MORE_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "pattern": "^Bearer"}}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
    503: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
}


def answers(
    *statuses: Literal[404, 409, 422], never: Iterable[Literal[403, 404, 429]] = ()
) -> dict[int | str, dict[str, Any]]:
    """Return, for `responses=` of a route, the problems it can give beside those of its parameters.

    Args:
        statuses: further ones that it can give.
        never: of those that follow from its parameters, the ones that it cannot give.
    """
    given: dict[int | str, dict[str, Any]] = {
        status: {"description": _WHAT_TO_DO[status]} for status in statuses
    }
    return given | {status: {_NEVER: True} for status in never}


def out_of_sequence() -> dict[int | str, dict[str, Any]]:
    """Return, for `responses=` of a route, the problem that it gives to a consumer out of sequence."""
    schema = {"$ref": f"#/components/schemas/{SequenceProblem.__name__}"}
    return {
        409: {
            "description": "The hub was restored, or these lines were never given out. Take a new snapshot.",
            "content": {PROBLEM_TYPE: {"schema": schema}},
        }
    }


def describe(app: FastAPI, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """Build the OpenAPI 3.1 document of the app's routes.

    Args:
        app: with all its routes.
        attributes: the canonical attributes by qualified name.
    """
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_ABOUT,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= _problem_schemas()
    schemas |= {"AttributeName": _attribute_name(attributes), "SearchTerms": _search_terms(attributes)}
    _complete(document)
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods:
                _complete_operation(document["paths"][route.path][method.lower()], route)
    return document


def _complete_operation(operation: dict[str, Any], route: APIRoute) -> None:
    found: dict[str, Any] = operation["responses"]
    stated = {int(status): found[str(status)] for status in route.responses}
    # FastAPI describes its own response to an invalid request, which the hub replaces.
    responses = {int(status): given for status, given in found.items() if int(status) < 400} | stated
    following = set(_following(operation))
    for status in following | {status for status, given in stated.items() if "content" not in given}:
        responses[status] = _refusal(status, responses.get(status, {}))
    kept = {status: given for status, given in sorted(responses.items()) if _NEVER not in given}
    for status, given in kept.items():
        headers = {"X-Request-Id": _REQUEST_ID, "Cache-Control": _NO_STORE}
        given["headers"] = headers | _MORE_HEADERS.get(status, {}) | given.get("headers", {})
    operation["responses"] = {str(status): given for status, given in kept.items()}
    if route.summary is None:
        operation["summary"] = re.split(r"[.:;,]", route.description, maxsplit=1)[0]


def _following(operation: Mapping[str, Any]) -> Iterator[int]:
    """Yield the statuses that follow from the parameters of an operation."""
    yield from (400, 500, 503)
    body = operation.get("requestBody")
    if body:
        yield from (413, 415)
    if body and "application/json" in body["content"]:
        yield 422
    parameters = operation.get("parameters", ())
    if parameters:
        yield 422
    if any(parameter["in"] == "path" for parameter in parameters):
        yield 404
    if operation.get("security"):
        yield from (401, 403, 429)


def _refusal(status: int, given: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{_SPECIAL.get(status, Problem).__name__}"}
    content = given.get("content", {}) | {PROBLEM_TYPE: {"schema": schema}}
    return {"description": _WHAT_TO_DO[status], **given, "content": content}


def _problem_schemas() -> dict[str, Any]:
    models: Iterable[type[BaseModel]] = (Problem, DeniedProblem, SequenceProblem, Fault, FormProblem)
    schemas = {}
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    for status, model in _SPECIAL.items():
        schemas[model.__name__]["properties"]["status"] |= {"const": status, "examples": [status]}
        schemas[model.__name__]["properties"]["title"]["examples"] = [HTTPStatus(status).phrase]
    return schemas


def _complete(schema: Any) -> None:
    """Complete the schemas that are marked with `KNOWN` from the canonical schemas."""
    if isinstance(schema, list):
        for each in schema:
            _complete(each)
    if not isinstance(schema, dict):
        return
    match schema.pop(KNOWN, None):
        case "attributes":
            schema["items"] = {"$ref": "#/components/schemas/AttributeName"}
        case "attribute":
            schema.clear()
            schema["$ref"] = "#/components/schemas/AttributeName"
        case "search_terms":
            schema.clear()
            schema["$ref"] = "#/components/schemas/SearchTerms"
    for name, each in schema.items():
        if name in _BOUNDS and isinstance(each, float) and each.is_integer():
            # 2^63 - 1, rounded to a float, would be a wrong bound.
            schema[name] = int(each)
        _complete(each)


def _attribute_name(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    return {
        "type": "string",
        "description": "An attribute by its qualified name; the agreement lists those it covers.",
        "enum": sorted(attributes),
    }


def _search_terms(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Attributes with their values; all must match the same person. The agreement has the "
        "attributes to search by.",
        "properties": {
            name: {"type": "string", "maxLength": 100}
            | ({"pattern": attribute.pattern} if attribute.pattern else {})
            for name, attribute in sorted(attributes.items())
        },
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 5,
        "examples": [{"person.personal_id": "001084000999"}],
    }
