"""A transport adapter with a deadline: it gives up on a source that sends too slowly."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_ENOUGH_BYTES = 65_536


class DeadlineAdapter(HTTPAdapter):
    """Bounds the whole of a response, where the usual timeout bounds the wait for each of its bytes.

    Within each `timeout` spent waiting, 64 KiB or the end must arrive. So neither headers, chunk sizes nor a
    body that trickle in hold a reader for long, and a large file may take the time that it needs.
    """

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        """Make a pool of connections that measure what arrives."""
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class _Measured(io.RawIOBase):
    """The incoming half of a connection: raises TimeoutError when too few bytes arrive."""

    def __init__(self, incoming: io.RawIOBase, connection: socket.socket) -> None:
        self._incoming = incoming
        self._connection = connection
        self._timeout = connection.gettimeout()
        self._waited = 0.0
        self._arrived = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._timeout is not None:
            if self._waited >= self._timeout:
                raise TimeoutError
            self._connection.settimeout(self._timeout - self._waited)
        before = time.monotonic()
        count = self._incoming.readinto(buffer)
        self._waited += time.monotonic() - before
        self._arrived += count or 0
        if self._arrived >= _ENOUGH_BYTES:
            self._waited, self._arrived = 0.0, 0
        return int(count)

    def close(self) -> None:
        self._incoming.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **settings: Any) -> None:
        super().__init__(sock, *arguments, **settings)
        self.fp = io.BufferedReader(_Measured(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
