"""Answers HTTP requests from threads of this process: for the keeper of anchors, and for a witness."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from oncehub.errors import ConfigError

_SILENT_SECONDS: Final = 30


class TooLong(Exception):
    """A request's body is longer than the one who reads it allows, or has no length; the answer is 413."""


@dataclass(frozen=True)
class Request:
    """A request; its body is not read before `read` is called.

    Attributes:
        method: `GET` or `POST`.
        path: as it was sent.
        authorization: of the header of that name; empty without one.
        read: returns the body if it has at most so many bytes, else raises `TooLong`.
    """

    method: str
    path: str
    authorization: str
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class Answer:
    """An answer: its HTTP status, and the text with its type."""

    status: int
    text: str = ""
    kind: str = "text/plain; charset=utf-8"


@contextmanager
def answering(answer: Callable[[Request], Answer], host: str, port: int) -> Iterator[str]:
    """Answer requests until the block ends; give the URL. Each connection is of one request.

    Raises:
        ConfigError: when the address cannot be used.
    """
    try:
        server = _Server((host, port), answer)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot answer on {host}:{port}: {error}; give another address or port") from None
    thread = threading.Thread(target=server.serve_forever)
    # Signals are the main thread's, which may wait for them.
    others = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    thread.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, others)
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], answer: Callable[[Request], Answer]) -> None:
        super().__init__(address, _Handler)
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer a request for a state."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a request with a body."""
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Log nothing: a health check asks every few seconds."""

    def _answer(self) -> None:
        request = Request(self.command, self.path, self.headers.get("Authorization", ""), self._read)
        try:
            answer = self.server.answer(request)
        except TooLong as error:
            answer = Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        content = answer.text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _read(self, most: int) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > most:
            raise TooLong(f"give a length of at most {most} bytes")
        return self.rfile.read(int(length))
