"""A register of taxpayers over HTTP, in a process of its own: `Register.start(count)`.

Pages stand ready as bytes where they fit, so that serving one costs little more than sending it; else each is
made as it is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from benchmarks.data.taxpayers import Taxpayers
from stubs.processes import Started, end_with

PAGE_SIZE = 1000
PATH = "/v2/taxpayers"
_ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 600
_STOP_SECONDS = 10


@dataclass
class Register:
    """A running register; a context manager that stops it on leaving."""

    count: int
    host: str
    _started: Started

    @classmethod
    def start(cls, count: int, *, ready: bool) -> Self:
        """Start the process and wait until it listens.

        Args:
            count: taxpayers.
            ready: make all pages before the first is asked for; takes 350 bytes a record.

        Raises:
            ChildProcessError: when it ends before it listens.
            TimeoutError: when it does not listen in ten minutes.
        """
        command = [sys.executable, "-m", "benchmarks.data.register", str(count), str(os.getpid())]
        descriptor, log = tempfile.mkstemp(prefix="oncehub-register-", suffix=".log")
        os.close(descriptor)
        started = Started.start(command + ["--ready"] * ready, Path(log), cwd=_ROOT)
        try:
            address = started.line_that_begins("http://", _READY_SECONDS)
        except BaseException:
            started.end(_STOP_SECONDS)
            raise
        return cls(count, address, started)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.end(_STOP_SECONDS)
        self._started.log.unlink()


def _handler(page: Callable[[int], bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        # One write for each response: two would wait for an acknowledgement in between.
        wbufsize = -1

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            body = page(int(query["trang"][0]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: logging each page would be measured too."""

    return Handler


def main() -> None:
    """Serve until the parent ends; write only the address to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("parent", type=int)
    parser.add_argument("--ready", action="store_true")
    arguments = parser.parse_args()
    end_with(arguments.parent)
    taxpayers = Taxpayers(arguments.count)

    @lru_cache(maxsize=None if arguments.ready else 1)
    def page(number: int) -> bytes:
        return taxpayers.page(number, PAGE_SIZE)

    if arguments.ready:
        for number in range(1, arguments.count // PAGE_SIZE + 2):
            page(number)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(page))
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
