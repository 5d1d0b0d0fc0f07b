"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from oncehub.api import (
    case_routes,
    consent_routes,
    correction_request_routes,
    correction_routes,
    prefill_routes,
    problems,
    routes,
    token_endpoint,
    usage_routes,
)
from oncehub.api.framing import Framing
from oncehub.api.hub import TheHub, open_hub
from oncehub.model.settings import Settings

_ROUTES = (
    token_endpoint,
    routes,
    prefill_routes,
    correction_routes,
    case_routes,
    consent_routes,
    usage_routes,
    correction_request_routes,
)

_open = APIRouter()


@_open.get("/health")
def health(hub: TheHub) -> dict[str, str]:
    """Tell whether the hub can answer: 503 when its database does not."""
    with hub.database.transaction():
        return {"status": "ok"}


def create_app(settings: Settings) -> FastAPI:
    """Build the application over the hub's configuration and database.

    Raises:
        ConfigError: when an agreement, procedure, schema or key is wrong.
        StoreError: when the database does not answer, or lacks migrations.
    """
    hub = open_hub(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        hub.database.close()

    # The usual documentation pages load scripts from elsewhere; /openapi.json does not.
    app = FastAPI(title="oncehub", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.hub = hub
    app.add_middleware(Framing)
    problems.install(app)
    app.include_router(_open)
    for module in _ROUTES:
        app.include_router(module.router)
    return app
