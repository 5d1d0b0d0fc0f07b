"""Look-ups: the attributes of one person."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from oncehub.api.core.audited_request import RequestId, TheCaller
from oncehub.api.core.hub import TheHub
from oncehub.api.core.look_up import look_up
from oncehub.api.http.bodies import Answer, Body, SearchTerms
from oncehub.api.http.description import KNOWN, answers
from oncehub.api.http.terms import require_named, require_search_terms

router = APIRouter(prefix="/v1")


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
