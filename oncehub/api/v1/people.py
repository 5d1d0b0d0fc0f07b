"""Look-ups: the attributes of one person."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from oncehub.api.core.audited_request import RequestId, TheCaller, bearer, caller_of
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.core.look_up import look_up
from oncehub.api.http.bodies import Answer, Body, SearchTerms
from oncehub.api.http.description import KNOWN, answers
from oncehub.api.http.terms import require_named, require_search_terms


class _Route(APIRoute):
    """Handles a look-up as FastAPI would, without resolving dependencies anew for each request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what checks a request as the application demands, then who sends it, then its body."""
        checks = [each.dependency for each in self.dependencies if each.dependency]

        async def handle(request: Request) -> Response:
            for check in checks:
                await check(request)
            hub: Hub = request.app.state.hub
            caller = await caller_of(request, hub, await bearer(request))
            body = _validated(getattr(request.state, "content", None))
            return await lookup(body, hub, caller, request.state.request_id)

        return handle


router = APIRouter(prefix="/v1", route_class=_Route)


class LookupRequest(Body):
    """The person to find, and the attributes to return; a purpose, if given, must be the agreement's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "search": {"person.personal_id": "001084000999"},
                    "attributes": ["person.full_name", "person.permanent_address"],
                }
            ]
        }
    )

    search: SearchTerms
    attributes: Annotated[
        list[str], Field(min_length=1, max_length=100, json_schema_extra={KNOWN: "attributes"})
    ]
    purpose: str | None = None


_LOOKUP = TypeAdapter(LookupRequest)


def _validated(content: Any) -> LookupRequest:
    if content is None:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    try:
        return _LOOKUP.validate_python(content, from_attributes=True)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None


class Label(Answer):
    """What a coded value is called in Vietnamese and in English."""

    vi: str
    en: str


class Value(Answer):
    """A golden value, the source that states it, and when it did; all null where the hub has no value.

    `labels` is what a coded value is called, of an address the names of its commune and province; else null.
    """

    value: Any
    labels: Label | None
    source: str | None
    as_of: str | None


class LookupAnswer(BaseModel):
    """The attributes asked for, by qualified name."""

    attributes: dict[str, Value]
    request_id: str


@router.post(
    "/persons/lookup",
    operation_id="lookUpPerson",
    tags=["persons"],
    responses=answers(404),
    response_model=LookupAnswer,
)
async def lookup(body: LookupRequest, hub: TheHub, caller: TheCaller, request_id: RequestId) -> Response:
    """Look one person up: only attributes, and only search terms, that the agreement covers."""
    require_named(body.attributes, hub.attributes)
    require_search_terms(body.search, hub.attributes)
    wanted = tuple(dict.fromkeys(body.attributes))
    person = await look_up(hub, caller, request_id, search=body.search, wanted=wanted, purpose=body.purpose)
    values = {
        name: {
            "value": believed.value,
            "labels": hub.labels.of(name, believed.value),
            "source": believed.source,
            "as_of": believed.as_of,
        }
        for name, believed in person.attributes.items()
    }
    # Has the form of LookupAnswer; building and validating the model would take most of a look-up's time.
    document = {"attributes": values, "request_id": str(request_id)}
    return Response(orjson.dumps(document), media_type="application/json")
