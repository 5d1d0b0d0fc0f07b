"""`oncehub api`: the hub's HTTP face."""

from __future__ import annotations

from typing import Annotated

import typer

from oncehub.cli.output import write_json
from oncehub.settings import load_settings


def api(
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that answer; as many as there are cores.")
    ] = None,
    openapi: Annotated[
        bool, typer.Option("--openapi", help="Print the OpenAPI description instead; needs no database.")
    ] = False,
) -> None:
    """Answer look-ups, prefills and feeds over HTTP until stopped."""
    # FastAPI takes a second to import, which the other commands need not pay.
    if openapi:
        from oncehub.api.app import openapi_document  # noqa: PLC0415

        write_json(openapi_document(load_settings()))
        return
    from oncehub.api.server.serving import run  # noqa: PLC0415

    run(load_settings(), host=host, port=port, workers=workers)
