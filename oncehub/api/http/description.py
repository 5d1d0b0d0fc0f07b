"""The API's OpenAPI description: what FastAPI finds in the routes, and what all of them share.

A route states its own refusals by `responses=answers(...)`; those that follow from its form (a body, a token,
a path) are added here.
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
The hub answers agencies under an agreement: who may see what, for which purpose, is settled before and read
at `GET /v1/agreements/mine`. Ask `POST /v1/token` for a bearer token by an assertion that your client's
key has signed (private_key_jwt), then send it with every request. Identifiers travel in bodies.

Every answer bears `X-Request-Id`, which the access log holds too: quote it when you ask about an answer.
Refusals are problem documents (RFC 9457) and repeat nothing of what was sent.
"""

_TAGS = {
    "access": "Tokens, and what one may ask.",
    "persons": "What is believed of one person, within the agreement.",
    "procedures": "Forms of administrative procedures, filled as far as the hub knows.",
    "feeds": "Changes of all people, within the agreement, to be read on from where one stopped.",
    "corrections": "What a source is told of its own records, and what it answers.",
    "cases": "What rules leave to officers; each request must name one.",
    "consents": "What citizens consent to, and withdraw, recorded by a portal on their behalf.",
    "usage": "What a portal shows citizens of themselves: who had their data, and corrections they ask for.",
    "service": "Whether the hub answers.",
}

_WHAT_TO_DO = {
    400: "The body is no I-JSON (RFC 7493): not UTF-8, not JSON, a name twice, NaN. Mend it.",
    401: "There is no token, or it has ended, or its client or key has. Ask for a new token, then once more.",
    403: "The agreement does not allow it; `refused` names the attributes. Do not repeat: ask for less.",
    404: "Nothing is there that this agreement may know of; of people: nobody, or more than one.",
    409: "What stands now does not allow it. Look again, then decide.",
    413: "The body is too large. Send less at a time.",
    415: "The body is of another media type than the one described here.",
    422: "The request has not the form described here; `errors` names the places. Do not repeat.",
    429: "The agreement's limit is reached. Wait for the seconds of `Retry-After`, then repeat.",
    500: "The hub could not answer, and nothing was given out. Tell the hub's keeper the request's id.",
    503: "The hub cannot answer now. Wait for the seconds of `Retry-After`, then repeat.",
}


class Problem(BaseModel):
    """A refusal (RFC 9457): `instance` is the request's id, by which the hub's keeper finds it."""

    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no person, or more than one, fits the search"])
    instance: str = Field(pattern="^urn:uuid:[0-9a-f-]{36}$")


class DeniedProblem(Problem):
    """A refusal by the agreement; `refused` names the attributes it does not cover, or is empty."""

    refused: list[str] = Field(examples=[["person.religion"]])


class Fault(BaseModel):
    """One fault: `pointer` leads to its place (`#/search`), `detail` says what belongs there."""

    pointer: str = Field(examples=["#/attributes/1"])
    detail: str = Field(examples=["is not a known attribute; did you mean person.full_name?"])


class FormProblem(Problem):
    """A request without the form that is asked for."""

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
    """Say for `responses=` of a route which problems it can give beside those that follow from its form.

    Args:
        statuses: that it can give too.
        never: of those that would follow, what it cannot give.
    """
    given: dict[int | str, dict[str, Any]] = {
        status: {"description": _WHAT_TO_DO[status]} for status in statuses
    }
    return given | {status: {_NEVER: True} for status in never}


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
    # FastAPI describes what it would answer itself to a wrong form, which is not what the hub answers.
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
    """Give the statuses that follow from what an operation takes."""
    yield from (500, 503)
    body = operation.get("requestBody")
    if body:
        yield from (400, 413)
    if body and "application/json" in body["content"]:
        yield from (415, 422)
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
    models: Iterable[type[BaseModel]] = (Problem, DeniedProblem, Fault, FormProblem)
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
    """Put what the canonical schemas hold where a schema is marked for it."""
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
            # 2^63 - 1, rounded to a float, is no bound that a reader could keep to.
            schema[name] = int(each)
        _complete(each)


def _attribute_name(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    return {
        "type": "string",
        "description": "An attribute by its qualified name; which may be asked for, the agreement says.",
        "enum": sorted(attributes),
    }


def _search_terms(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Attributes with their values; all must lead to the same person. By which one may "
        "search, the agreement says.",
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
