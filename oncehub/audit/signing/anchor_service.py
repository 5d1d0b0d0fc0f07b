"""Keeps the anchors in a process of its own, whose callers may append to them and change nothing.

An attacker with the hub's keys and its database can write another history. This process runs where they have
nothing, and refuses what contradicts an anchor.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import orjson

from oncehub.audit.signing.anchors import TOKEN, append_lines, note_anchor, read_anchors, whole_lines
from oncehub.errors import ConfigError
from oncehub.settings import secret

ADOPTION_TOKEN: Final = "ONCEHUB_AUDIT_ADOPTION_TOKEN"  # noqa: S105 - its name

_MOST_BYTES: Final = 64_000_000
"""Of one request: half a million anchors."""

_SHORTEST_TOKEN: Final = 16
_SILENT_SECONDS: Final = 30


@contextmanager
def keep_anchors(file: Path, host: str, port: int) -> Iterator[str]:
    """Answer `GET` and `POST` of the anchors in `file` from threads of this process; give the URL.

    Raises:
        ConfigError: when a token is missing, the file holds what is no anchor, or the port cannot be used.
    """
    read_anchors(file)
    keeper = _Keeper(file, *(_token(name) for name in (TOKEN, ADOPTION_TOKEN)))
    try:
        server = _Server((host, port), keeper)
    except OSError as error:
        raise ConfigError(f"cannot answer on {host}:{port}: {error.strerror}; give --port") from None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Keeper:
    """The file, and who may append what to it."""

    def __init__(self, file: Path, token: str, adoption_token: str) -> None:
        self._file = file
        self._append = token
        self._adopt = adoption_token
        self._lock = threading.Lock()

    def knows(self, given: str) -> bool:
        return self._is(given, self._append) or self._is(given, self._adopt)

    def read(self) -> bytes:
        with self._lock:
            return b"".join(line + b"\n" for line in whole_lines(self._file))

    def append(self, given: str, lines: bytes) -> None:
        """Append lines that are anchors and contradict none.

        Raises:
            PermissionError: when one is an adoption, and the token does not allow it.
            ValueError, TypeError, KeyError: when one is no anchor, or contradicts another.
            ConfigError: when the file cannot be read or written.
        """
        if not lines.endswith(b"\n"):
            raise ValueError("the last line has no end")
        with self._lock:
            anchors = read_anchors(self._file)
            for line in lines.splitlines():
                content = orjson.loads(line)
                if "adopted" in content and not self._is(given, self._adopt):
                    raise PermissionError(f"an adoption needs the token {ADOPTION_TOKEN}")
                if "note" in content and content["checkpoint"] > max(anchors.heads, default=0) + 1:
                    raise ValueError(f"checkpoint {content['checkpoint']} leaves out those before it")
                note_anchor(anchors, content)
            append_lines(self._file, lines)

    @staticmethod
    def _is(given: str, token: str) -> bool:
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], keeper: _Keeper) -> None:
        super().__init__(address, _Request)
        self.keeper = keeper


class _Request(BaseHTTPRequestHandler):
    timeout = _SILENT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer all lines."""
        if self._known():
            try:
                self._answer(HTTPStatus.OK, self.server.keeper.read())
            except ConfigError as error:
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def do_POST(self) -> None:
        """Append lines: all of them, on disk when this answers, or none."""
        if not self._known():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"give a length of at most {_MOST_BYTES} bytes")
            return
        lines = self.rfile.read(int(length))
        try:
            self.server.keeper.append(self._given, lines)
        except PermissionError as error:
            self._answer(HTTPStatus.FORBIDDEN, str(error))
        except (ValueError, TypeError, KeyError) as error:
            self._answer(HTTPStatus.CONFLICT, f"not appended: {error}")
        except ConfigError as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        else:
            self._answer(HTTPStatus.NO_CONTENT)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the standard library
        """Log nothing: a health check asks every few seconds, and what was appended is in the file."""

    @property
    def _given(self) -> str:
        return self.headers.get("Authorization", "")

    def _known(self) -> bool:
        if self.server.keeper.knows(self._given):
            return True
        self._answer(HTTPStatus.UNAUTHORIZED, f"give the token {TOKEN}")
        return False

    def _answer(self, status: HTTPStatus, content: bytes | str = b"") -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _token(name: str) -> str:
    given = secret(name) or ""
    if len(given) < _SHORTEST_TOKEN:
        raise ConfigError(f"{name} must have {_SHORTEST_TOKEN} characters or more; who holds it may append")
    return given
