"""A server that answers as a test says, faults included."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    pairs: tuple[tuple[str, str], ...] = ()
    """Of the query, in their order: a parameter may be repeated."""


@dataclass(frozen=True)
class Reply:
    """An answer, or a fault: `claimed` another Content-Length, `trickle` seconds after each byte."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    claimed: int | None = None
    drop: bool = False
    wait: float = 0
    trickle: float = 0


def as_json(content: Any, **headers: str) -> Reply:
    return Reply(body=orjson.dumps(content), headers=headers)


Answering = Callable[[Asked], Reply]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A reader that gives up an answer in the middle is what some tests are about.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Served:
    """A running server; `answering` may be replaced at any time, `asked` lists what arrived."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.asked: list[Asked] = []
        self.released = threading.Event()
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                served._answer(self)

            do_GET = do_POST = handle_any  # noqa: N815 - the names http.server calls

            def log_message(self, *args: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        parts = urlsplit(handler.path)
        body = handler.rfile.read(length).decode()
        pairs = tuple(parse_qsl(parts.query))
        asked = Asked(handler.command, parts.path, dict(pairs), dict(handler.headers), body, pairs)
        self.asked.append(asked)
        reply = self.answering(asked)
        self.released.wait(reply.wait)
        if reply.drop:
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(reply.claimed or len(reply.body)))
        handler.end_headers()
        self._write(handler, reply)

    def _write(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.close_connection = handler.close_connection or reply.claimed is not None
        for byte in reply.body if reply.trickle else ():
            handler.wfile.write(bytes([byte]))
            if self.released.wait(reply.trickle):
                return
        if not reply.trickle:
            handler.wfile.write(reply.body)

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def in_turn(*replies: Reply) -> Answering:
    """Answer request by request; the last reply stays."""
    left = list(replies)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]
