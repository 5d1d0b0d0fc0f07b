"""`oncehub api`: the hub's HTTP face."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
import uvicorn

from oncehub.api import create_app
from oncehub.model.errors import ConfigError
from oncehub.model.settings import load_settings


def api(
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Answer look-ups, prefills and feeds over HTTP until stopped.

    Raises:
        ConfigError: when the port is in use.
    """
    app = create_app(load_settings())
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
            ) from None
        uvicorn.Server(uvicorn.Config(app, log_level="info")).run(sockets=[listener])
