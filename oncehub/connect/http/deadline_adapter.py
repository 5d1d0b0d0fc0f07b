"""What carries requests: an adapter that gives a source up which hardly sends."""

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
    """Bounds the whole of an answer, where the usual timeout bounds the wait for each of its bytes.

    Within each `timeout` spent waiting 64 KiB must come, or the end. Thus neither headers, chunk sizes nor a
    body that trickle in hold a reader for long, and a large file may take the time it needs.
    """

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        """Make the pool, of connections that count."""
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class _Counted(io.RawIOBase):
    """The incoming half of a connection."""

    def __init__(self, incoming: io.RawIOBase, connection: socket.socket) -> None:
        self._incoming = incoming
        self._connection = connection
        self._patience = connection.gettimeout()
        self._waited = 0.0
        self._came = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._patience is not None:
            if self._waited >= self._patience:
                raise TimeoutError
            self._connection.settimeout(self._patience - self._waited)
        before = time.monotonic()
        count = self._incoming.readinto(buffer)
        self._waited += time.monotonic() - before
        self._came += count or 0
        if self._came >= _ENOUGH_BYTES:
            self._waited, self._came = 0.0, 0
        return int(count)

    def close(self) -> None:
        self._incoming.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **settings: Any) -> None:
        super().__init__(sock, *arguments, **settings)
        self.fp = io.BufferedReader(_Counted(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
