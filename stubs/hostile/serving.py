"""Web applications served from a thread of this process, each on a free port of loopback."""

import asyncio
import time
from collections.abc import Mapping
from threading import Thread

from starlette.types import ASGIApp

from stubs.servers.listening import SignalFreeServer, base_urls, bind_sockets, server_config
from stubs.servers.protocol.certificates import TlsFiles

_POLL_SECONDS = 0.01


class ServerThread:
    """Serves applications by name until `stop`.

    Attributes:
        urls: base URL of each.
    """

    def __init__(
        self, apps: Mapping[str, ASGIApp], *, tls: Mapping[str, TlsFiles], port_base: int = 0
    ) -> None:
        """Begins to serve; on return all listen.

        Args:
            apps: by name.
            tls: those that speak TLS, at most one, and ask for a client certificate.
            port_base: first of consecutive ports; 0 takes free ones.

        Raises:
            PortInUseError: a port that was asked for is taken.
        """
        self._sockets = bind_sockets(tuple(apps), port_base)
        self.urls = base_urls(self._sockets, tls=tls)
        self._servers = {
            name: SignalFreeServer(server_config(app, tls.get(name))) for name, app in apps.items()
        }
        self._thread = Thread(target=self._run, name="hostile-source", daemon=True)
        self._thread.start()
        while not all(server.started for server in self._servers.values()):
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stops serving; may be called again."""
        for server in self._servers.values():
            server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, server in self._servers.items():
                tasks.create_task(server.serve([self._sockets[name]]))
