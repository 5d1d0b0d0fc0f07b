"""`oncehub api`: serves the HTTP API."""

from __future__ import annotations

from typing import Annotated

import typer

from oncehub.cli.output import write_json
from oncehub.extras import needs_extra
from oncehub.settings import load_settings


def api(
    port: Annotated[int, typer.Option(help="TCP port; 0 for a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one for each core unless given.")
    ] = None,
    openapi: Annotated[
        bool, typer.Option("--openapi", help="Print the OpenAPI document instead; needs no database.")
    ] = False,
) -> None:
    """Serve look-ups, prefilled forms and feeds over HTTP until stopped."""
    with needs_extra("api"):
        from oncehub.api.app import openapi_document
        from oncehub.api.server.serving import run
    if openapi:
        write_json(openapi_document(load_settings()))
        return
    run(load_settings(), host=host, port=port, workers=workers)
