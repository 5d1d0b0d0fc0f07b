"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from oncehub.api.core.audited_request import refuse_unauthenticated
from oncehub.api.core.hub import TheHub, canonical_attributes, open_hub
from oncehub.api.core.readiness import Readiness
from oncehub.api.http import problems
from oncehub.api.http.description import describe
from oncehub.api.http.middleware import RequestMiddleware
from oncehub.api.http.source import trusted_proxies
from oncehub.api.http.strict_json import is_json
from oncehub.api.v1 import (
    agreements,
    cases,
    consents,
    correction_requests,
    corrections,
    feeds,
    people,
    prefill,
    submissions,
    token,
    usage,
)
from oncehub.config.entities import Attribute
from oncehub.errors import NotAuthenticated
from oncehub.settings import Settings
from oncehub.traces import flush

_ROUTES = (
    token,
    people,
    feeds,
    agreements,
    prefill,
    submissions,
    corrections,
    cases,
    consents,
    usage,
    correction_requests,
)

_open = APIRouter(tags=["service"])


class _Lifespan(Protocol):
    def __call__(self, app: FastAPI, /) -> AbstractAsyncContextManager[None]: ...


class _Api(FastAPI):
    """The application, with the OpenAPI document of `oncehub.api.http.description`."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if not self.openapi_schema:
            self.openapi_schema = describe(self, self.state.attributes)
        return self.openapi_schema


@_open.get("/ready", operation_id="getReadiness", response_model=dict[str, str])
async def ready(request: Request) -> Response:
    """Return 200 when look-ups can be answered, else 503: one for a person who cannot exist is tried."""
    readiness: Readiness = request.app.state.readiness
    if wrong := await readiness.wrong():
        return problems.problem(
            request, 503, f"look-ups cannot be answered: {wrong}", headers={"Retry-After": "5"}
        )
    return JSONResponse({"status": "ok"})


@_open.get("/live", operation_id="getLiveness")
async def live() -> dict[str, str]:
    """Return 200 while the process answers; nothing else is asked."""
    return {"status": "ok"}


@_open.get("/metrics", operation_id="getMetrics", response_class=PlainTextResponse)
async def metrics(hub: TheHub) -> Response:
    """Return what the API counts and times, for Prometheus: names of agreements, and nobody's values."""
    content, media_type = await run_in_threadpool(hub.metrics.text)
    return Response(content, media_type=media_type)


def create_app(settings: Settings) -> FastAPI:
    """Build the application over the hub's configuration and database.

    Raises:
        ConfigError: when an agreement, procedure, schema, key or setting is wrong.
        StoreError: when the database does not answer, or is not up to date.
    """
    proxies = trusted_proxies()
    hub = open_hub(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hub.refusals.start()
        yield
        await run_in_threadpool(hub.refusals.stop)
        await hub.look_ups.close()
        hub.database.close()
        await run_in_threadpool(flush)

    app = _application(
        hub.attributes,
        lifespan,
        refused=hub.refusals.count_answer,
        proxies=proxies,
        measured=hub.metrics.note_request,
    )
    app.state.hub = hub
    app.state.readiness = Readiness(hub)
    return app


def openapi_document(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI document without a database.

    Raises:
        ConfigError: when a canonical schema is wrong.
    """
    return _application(canonical_attributes(settings)).openapi()


def _application(
    attributes: Mapping[str, Attribute], lifespan: _Lifespan | None = None, **middleware: Any
) -> FastAPI:
    # The usual documentation pages load scripts from elsewhere; /openapi.json does not. Redirects to a path
    # without its last slash would be built from what the caller says the host is.
    app = _Api(
        title="oncehub",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        dependencies=[Depends(_require_declared), Depends(_require_media_type)],
        generate_unique_id_function=_operation_id,
    )
    app.state.attributes = attributes
    app.add_middleware(RequestMiddleware, **middleware)
    problems.install(app)
    app.add_exception_handler(NotAuthenticated, refuse_unauthenticated)
    app.add_exception_handler(token.TokenRefused, token.refuse_token)
    app.include_router(_open)
    for module in _ROUTES:
        app.include_router(module.router)
    return app


async def _require_declared(request: Request) -> None:
    """Refuse a query or body where none is declared: an ignored one could mean something to others.

    A route that has a query declares all of its parameters in one `Body`.
    """
    route = request.scope.get("route")
    if isinstance(route, APIRoute) and request.query_params and not route.dependant.query_params:
        raise HTTPException(400, "this path has no query")
    if request.method == "GET" and await request.body():
        raise HTTPException(400, "a GET has no body")


async def _require_media_type(request: Request) -> None:
    if getattr(request.scope.get("route"), "body_field", None) is None or is_json(request.headers):
        return
    if await request.body():
        raise HTTPException(415, "send the body as application/json", {"Accept-Post": "application/json"})


def _operation_id(route: APIRoute) -> str:
    """Name an operation after its function unless its route names it; generated clients use the name."""
    first, *others = route.name.split("_")
    return first + "".join(word.title() for word in others)
