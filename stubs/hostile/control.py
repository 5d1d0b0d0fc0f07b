"""The control of a running source over HTTP, for a process that started it from the command line."""

import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from stubs.hostile.plants import UnknownPlantError
from stubs.hostile.steering import Steered
from stubs.servers.protocol.refusals import (
    Refusal,
    answer_http_error,
    answer_refusal,
    bad_parameter,
    json_answer,
    unauthorised,
)


class _Amount(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    count: int = Field(default=1, ge=1, le=100_000)


class _Control:
    """Every endpoint asks for the bearer token; bodies are `{"count": n}`, 1 unless given."""

    def __init__(self, source: Steered, token: str) -> None:
        self._source = source
        self._token = token

    def routes(self) -> list[Route]:
        """All control endpoints."""
        return [
            Route("/records", self.records, methods=["GET"]),
            Route("/requests", self.requests, methods=["GET"]),
            Route("/{deed:str}", self.do, methods=["POST"]),
            Route("/plants/{name}", self.plant, methods=["POST"]),
            Route("/plants", self.clear, methods=["DELETE"]),
        ]

    async def records(self, request: Request) -> Response:
        """The truth."""
        self._check(request)
        return json_answer(self._source.records())

    async def requests(self, request: Request) -> Response:
        """What was asked so far."""
        self._check(request)
        return json_answer(self._source.requests())

    async def do(self, request: Request) -> Response:
        """`add`, `change` or `delete` so many records, or `advance` the clock by so many seconds."""
        self._check(request)
        source = self._source
        deeds: dict[str, Callable[[int], object]] = {
            "add": source.add,
            "change": source.change,
            "delete": source.delete,
        }
        deed = request.path_params["deed"]
        count = await _count(request)
        if deed == "advance":
            source.advance(timedelta(seconds=count))
        elif deed in deeds:
            deeds[deed](count)
        else:
            raise Refusal(404, {"error": "not_found", "message": f"known are advance, {', '.join(deeds)}"})
        source.write_drop()
        return Response(status_code=204)

    async def plant(self, request: Request) -> Response:
        """Plants one more way to misbehave."""
        self._check(request)
        try:
            self._source.plant(request.path_params["name"])
        except UnknownPlantError as unknown:
            raise Refusal(400, {"error": "unknown_plant", "message": str(unknown)}) from None
        self._source.write_drop()
        return Response(status_code=204)

    async def clear(self, request: Request) -> Response:
        """Takes out all that is planted."""
        self._check(request)
        self._source.clear()
        self._source.write_drop()
        return Response(status_code=204)

    def _check(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            raise unauthorised("invalid_token", "the control token is required", challenge="Bearer")


def control_application(source: Steered) -> tuple[str, ASGIApp]:
    """The control's token, different at every start, and its application."""
    token = secrets.token_urlsafe(24)
    handlers = {Refusal: answer_refusal, HTTPException: answer_http_error}
    return token, Starlette(routes=_Control(source, token).routes(), exception_handlers=handlers)


async def _count(request: Request) -> int:
    try:
        return _Amount.model_validate_json(await request.body() or b"{}").count
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        parameter = ".".join(map(str, first["loc"])) or "body"
        raise bad_parameter(parameter, first["msg"]) from None
