"""Runs the API under uvicorn, with a log that holds no personal data."""

from __future__ import annotations

import gc
import logging
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import uvicorn
from fastapi import FastAPI

from oncehub.api.app import create_app
from oncehub.api.core.metrics import shared_metrics
from oncehub.api.server.protocol import IDLE_SECONDS, Protocol
from oncehub.api.server.workers import STOP_SECONDS, Workers
from oncehub.errors import ConfigError
from oncehub.logs import configure_logging
from oncehub.settings import Settings
from oncehub.store.connection import database_url

_OPEN_FILES = 8192


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host`:`port`; port 0 takes a free one.

    Raises:
        ConfigError: when the port is in use or may not be taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    return listener


def _allow_connections() -> None:
    """Raise this process's limit of open files, each of which may be a connection, as far as it may."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < _OPEN_FILES and allowed != resource.RLIM_INFINITY:
        wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def server_config(app: FastAPI) -> uvicorn.Config:
    """Return the server's configuration: HTTP only, and no header that names the server."""
    return uvicorn.Config(
        app,
        http=partial(Protocol, refused=app.state.hub.refusals.count),  # type: ignore[arg-type]
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        # Requests that last longer are cut off, and their transactions roll back: nothing was disclosed.
        timeout_graceful_shutdown=int(STOP_SECONDS) - 1,
        timeout_keep_alive=int(IDLE_SECONDS),
        # The address of the caller is not used.
        proxy_headers=False,
    )


def run(settings: Settings, *, host: str = "127.0.0.1", port: int = 8080, workers: int | None = None) -> None:
    """Serve the API until SIGINT or SIGTERM; it prints the address once it listens.

    Args:
        settings: of the hub.
        host: address to listen on.
        port: 0 for a free one.
        workers: number of processes; None for one a core.

    Raises:
        ConfigError, StoreError: see `listening` and `create_app`.
    """
    configure_logging(logging.INFO, "%(asctime)s %(levelname)s %(name)s: %(message)s")
    _allow_connections()
    with shared_metrics(), listening(host, port) as listener:
        if settings.api_database_url is None:
            # The embedded server belongs to this process, which outlives the workers.
            settings = replace(settings, database_url=database_url(settings))

        def serve(ready: Callable[[], None]) -> None:
            app = create_app(settings)
            # Long-lived objects need not be scanned by each garbage collection.
            gc.collect()
            gc.freeze()
            ready()
            uvicorn.Server(server_config(app)).run(sockets=[listener])

        processes = Workers(workers or len(os.sched_getaffinity(0)), serve)
        if processes.require_ready():
            address, actual = listener.getsockname()
            sys.stdout.write(f"listening on http://{address}:{actual}\n")
            sys.stdout.flush()
        processes.run()
