"""The source as a web application: its paths, access checks, plants, and a log of every request."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from threading import Lock

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stubs.hostile.auth.access import KEY_HEADER, KEY_PARAMETER, TOKEN_PATH, Check
from stubs.hostile.auth.oauth import ClientIssuer
from stubs.hostile.exports import FILE_COUNT, ExportFile, file_name
from stubs.hostile.listing import (
    Listing,
    answer_listing,
    body_of,
    changes_listing,
    documents_listing,
    holders_listing,
    packed_body,
    transfer_headers,
)
from stubs.hostile.openapi import openapi_document
from stubs.hostile.pages import Question
from stubs.hostile.plants import Plant, Turn, make_plant
from stubs.hostile.register.register import Entry, LandRegister
from stubs.hostile.variant import Variant
from stubs.hostile.wire import time_writer
from stubs.servers.protocol.refusals import Refusal, answer_http_error, answer_refusal, json_answer

_OPEN_PATHS = (TOKEN_PATH, "/openapi.json")
_CREDENTIAL_HEADERS = {"authorization", "cookie", "x-signature", "signature", KEY_HEADER.lower()}


@dataclass(frozen=True)
class Asked:
    """One request, without its query; `status` is None where the connection was cut before an answer."""

    method: str
    path: str
    status: int | None
    credentials: bool


class Simulation:
    """A register served in one variant, with its plants; thread-safe."""

    def __init__(self, variant: Variant, register: LandRegister) -> None:
        self.variant = variant
        self.register = register
        self.elsewhere = ""
        self._plants: tuple[Plant, ...] = ()
        self._asked: list[Asked] = []
        self._lock = Lock()

    def plant(self, name: str) -> None:
        """Adds a plant, a way to misbehave.

        Raises:
            UnknownPlantError: there is none of that name, or it has no effect on the variant.
        """
        plant = make_plant(name, self.variant)
        plant.planted(self.register)
        with self._lock:
            self._plants = (*self._plants, plant)

    def clear(self) -> None:
        """Removes all plants; delayed records are committed, and stated records stay."""
        with self._lock:
            self._plants = ()
        self.register.behave()

    def turn(self) -> Turn:
        """Starts the turn of the next request for data."""
        return Turn(self.register.count_request(), self.variant, self.register, self.elsewhere, self._plants)

    def export(self) -> Sequence[ExportFile]:
        """A snapshot as files; deleted records are in it where the variant flags them."""
        turn = Turn(0, self.variant, self.register, self.elsewhere, self._plants)
        listed = self.register.entries() if self.variant.lists_deleted else self.register.living()
        rows = sorted(listed, key=lambda entry: entry.sequence)
        for plant in turn.plants:
            rows = list(plant.rows(rows, Question()))
        size = max(1, ceil(len(rows) / FILE_COUNT))
        files: Sequence[ExportFile] = [
            self._file(rows[start : start + size], start // size + 1, turn)
            for start in range(0, len(rows), size)
        ]
        for plant in turn.plants:
            files = plant.export(files)
        return files

    def note(self, asked: Asked) -> None:
        """Logs a request."""
        with self._lock:
            self._asked.append(asked)

    def asked(self) -> list[Asked]:
        """All requests so far, in the order of their responses."""
        with self._lock:
            return list(self._asked)

    def _file(self, entries: Sequence[Entry], number: int, turn: Turn) -> ExportFile:
        content = body_of(entries, Listing(windowed=False), {}, turn)
        if self.variant.compression == "file":
            content = packed_body(content, turn)
        return ExportFile.of(file_name(self.register.now, number, self.variant), content, len(entries))


class SourceApp:
    """The paths of the source."""

    def __init__(self, simulation: Simulation, check: Check, issuer: ClientIssuer | None) -> None:
        self._simulation = simulation
        self._variant = simulation.variant
        self._check = check
        self._issuer = issuer

    def routes(self) -> list[Route]:
        """Only those that the variant has."""
        variant = self._variant
        routes = [Route("/openapi.json", self.openapi)]
        if self._issuer is not None:
            routes.append(Route(TOKEN_PATH, self._issuer.issue, methods=["POST"]))
        if variant.transport == "drop":
            return routes
        if variant.transport == "files":
            return [*routes, Route("/files/manifest", self.manifest), Route("/files/{name}", self.file)]
        routes += [
            Route("/holders", self.holders),
            Route("/holders/{key}/documents", self.documents),
            Route("/position", self.position),
        ]
        if variant.separate_changes:
            routes.append(Route("/changes", self.changes))
        if variant.deletes == "separate":
            routes.append(Route("/deleted", self.deleted))
        return routes

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI description."""
        host = f"{request.url.scheme}://{request.url.netloc}"
        return json_answer(openapi_document(self._variant, host))

    async def holders(self, request: Request) -> Response:
        """A page of holders; of their changes too, unless the variant lists changes separately."""
        turn = await self._admitted(request)
        listing = holders_listing(self._variant)
        listed = turn.register.entries() if self._variant.lists_deleted else turn.register.living()
        return answer_listing(request, listed, listing, turn)

    async def changes(self, request: Request) -> Response:
        """A page of changed records."""
        turn = await self._admitted(request)
        listed = turn.register.entries() if self._variant.lists_deleted else turn.register.living()
        return answer_listing(request, listed, changes_listing(), turn)

    async def deleted(self, request: Request) -> Response:
        """A page of deleted records."""
        turn = await self._admitted(request)
        listed = [entry for entry in turn.register.entries() if entry.deleted]
        return answer_listing(request, listed, changes_listing(), turn)

    async def documents(self, request: Request) -> Response:
        """A page of a holder's documents."""
        turn = await self._admitted(request)
        listed = turn.register.documents(request.path_params["key"])
        if listed is None:
            raise Refusal(404, {"error": "not_found", "message": "there is no such holder"})
        return answer_listing(request, listed, documents_listing(self._variant), turn)

    async def position(self, request: Request) -> Response:
        """The highest place in the sequence of changes, and the source's clock."""
        turn = await self._admitted(request)
        now = time_writer(self._variant.time)(turn.register.now)
        return json_answer({"thuTu": turn.register.highest_sequence, "thoiDiem": now})

    async def manifest(self, request: Request) -> Response:
        """The files of the present snapshot."""
        await self._admitted(request)
        return json_answer({"files": [file.manifest_entry() for file in self._simulation.export()]})

    async def file(self, request: Request) -> Response:
        """A file of the snapshot; its checksum is that of the content after a Content-Encoding is decoded."""
        turn = await self._admitted(request)
        for file in self._simulation.export():
            if file.name == request.path_params["name"]:
                packs = self._variant.compression == "transfer"
                content = packed_body(file.content, turn) if packs else file.content
                return Response(content, headers=transfer_headers(self._variant))
        raise Refusal(404, {"error": "not_found", "message": "no such file in the present snapshot"})

    async def _admitted(self, request: Request) -> Turn:
        self._check(request, await request.body())
        turn = request.scope["state"]["turn"]
        assert isinstance(turn, Turn)
        return turn


class Watched:
    """Wraps an application in the plants of a simulation, and logs every request there."""

    def __init__(self, app: ASGIApp, simulation: Simulation) -> None:
        self._app = app
        self._simulation = simulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        status: int | None = None

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._planted(scope)(scope, receive, noting)
        finally:
            self._simulation.note(_asked(scope, status))

    def _planted(self, scope: Scope) -> ASGIApp:
        if scope["path"] in _OPEN_PATHS:
            return self._app
        turn = self._simulation.turn()
        scope["state"]["turn"] = turn
        app = self._app
        for plant in turn.plants:
            app = plant.answer(app, turn)
        return app


class Elsewhere:
    """Another origin to which a source may redirect its reader; logs the requests that follow."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with an empty listing."""
        self.asked.append(_asked(scope, 200))
        await json_answer({"data": {"items": [], "total": 0}})(scope, receive, send)


def source_application(simulation: Simulation, check: Check, issuer: ClientIssuer | None) -> ASGIApp:
    """The whole application of a source."""
    handlers = {Refusal: answer_refusal, HTTPException: answer_http_error}
    app = Starlette(routes=SourceApp(simulation, check, issuer).routes(), exception_handlers=handlers)
    return Watched(app, simulation)


def _asked(scope: Scope, status: int | None) -> Asked:
    request = Request(scope)
    carries = bool(_CREDENTIAL_HEADERS & set(request.headers)) or KEY_PARAMETER in request.query_params
    return Asked(request.method, request.url.path, status, carries)
