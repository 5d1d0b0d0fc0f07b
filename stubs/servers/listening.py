"""All servers in one event loop, on sockets bound beforehand, until a signal."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from stubs.servers.protocol.certificates import TlsFiles

HOST = "127.0.0.1"


class PortInUseError(Exception):
    """A requested port is in use."""


def bind_sockets(names: tuple[str, ...], port_base: int, *, host: str = HOST) -> dict[str, socket.socket]:
    """One bound socket a name, on consecutive ports of `host` from `port_base`, or free ones when it is 0."""
    sockets: dict[str, socket.socket] = {}
    for offset, name in enumerate(names):
        # asyncio sends small packets at once only on sockets that say they are TCP.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port_base + offset if port_base else 0))
        except OSError as error:
            for opened in (bound, *sockets.values()):
                opened.close()
            raise PortInUseError(f"port {port_base + offset} for {name}: {error.strerror}") from error
        sockets[name] = bound
    return sockets


def base_urls(
    sockets: Mapping[str, socket.socket], *, tls: Collection[str], host: str = HOST
) -> dict[str, str]:
    """The base URL of each bound socket by the name `host`; those named by `tls` are https."""
    return {
        name: f"{'https' if name in tls else 'http'}://{host}:{bound.getsockname()[1]}"
        for name, bound in sockets.items()
    }


class _ClosableProtocol(H11Protocol):
    """Gives the application its connection, so that a planned fault can close it without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class SignalFreeServer(uvicorn.Server):
    """Leaves the signals to the process, which runs several servers."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures none."""
        yield


async def serve_all(
    apps: Mapping[str, ASGIApp],
    sockets: Mapping[str, socket.socket],
    tls: Mapping[str, TlsFiles],
    *,
    mutual: Collection[str],
    when_ready: Callable[[], None],
) -> None:
    """Serves each application on its socket until SIGTERM or SIGINT.

    Systems named in `tls` speak TLS, and those in `mutual` require a client certificate. Once all listen,
    `when_ready` is called.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers = [
        SignalFreeServer(server_config(app, tls.get(name), mutual=name in mutual))
        for name, app in apps.items()
    ]
    async with asyncio.TaskGroup() as tasks:
        for name, server in zip(apps, servers, strict=True):
            tasks.create_task(server.serve([sockets[name]]))
        while not all(server.started for server in servers):
            await asyncio.sleep(0.01)
        when_ready()
        await stop.wait()
        for server in servers:
            server.should_exit = True


def server_config(app: ASGIApp, tls: TlsFiles | None, *, mutual: bool = True) -> uvicorn.Config:
    """How every application is served; with `tls` and `mutual`, a client certificate is required."""
    config = uvicorn.Config(
        app,
        http=_ClosableProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
    )
    if tls is not None:
        config.ssl_certfile = str(tls.server_certificate)
        config.ssl_keyfile = str(tls.server_key)
        if mutual:
            config.ssl_ca_certs = str(tls.authority)
            config.ssl_cert_reqs = ssl.CERT_REQUIRED
    return config
