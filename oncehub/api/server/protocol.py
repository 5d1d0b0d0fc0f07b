"""HTTP/1.1 with bounds: uvicorn's own protocol waits for ever and takes whatever is sent."""

from __future__ import annotations

import asyncio
import logging
import resource
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from oncehub.api.http.middleware import MAX_BODY_BYTES

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 64
MAX_PIPELINED: Final = 16
"""How many requests may wait on one connection for the answers before them."""

MAX_SENT_BYTES: Final = 8 * MAX_BODY_BYTES
"""How much may be sent for one body: chunks of a single byte take six."""

HEAD_SECONDS = 10.0
"""From the first byte of a request to the end of its head."""

BODY_SECONDS = 20.0
"""From there to the end of its body."""

IDLE_SECONDS = 15.0
"""How long a connection may send nothing before its first request, and between two."""

ANSWER_SECONDS = 30.0
"""How long a client may take to read an answer."""

LINGER_SECONDS = 2.0
"""How long what a refused client still sends is discarded: a connection closed at once loses the refusal."""

_MOST_CONNECTIONS = 512
_OTHER_FILES = 128

_HEAD_TOO_LARGE: Final = (
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"the head is larger than {MAX_HEAD_BYTES} bytes",
)
_TOO_MANY: Final = HTTPStatus.SERVICE_UNAVAILABLE, "the hub has too many connections; try again"

_log = logging.getLogger("oncehub.api.access")


def most_connections() -> int:
    """Return how many connections a process holds; files of its own must remain."""
    return max(16, min(_MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES))


class _Unfit(Exception):
    """Ends the parser's work; the protocol knows why."""


class Protocol(HttpToolsProtocol):
    """One connection, which waits for its client or answers it.

    When there are too many connections, the one that has waited longest is closed: clients that hold
    connections cannot keep others away.

    Args:
        refused: called with the status and the client's address for each refusal that the application does
            not see.
    """

    def __init__(self, *args: Any, refused: Callable[..., None], **named: Any) -> None:
        super().__init__(*args, **named)
        self._count_refusal = refused
        self._waits_since: float | None = None
        self._receives = False
        self._refused = False
        self._fault: tuple[HTTPStatus, str] | None = None
        # Of the present head, what was received, and what was read; None in a body.
        self._head: int | None = 0
        self._read = 0
        self._body = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request; make room where there are too many connections."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._expect(IDLE_SECONDS, self._close)
        if len(self.connections) > most_connections():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time-outs."""
        self._expect_nothing()
        self._unset_keepalive_if_required()
        self._forget_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head is read in pieces, so that no more of it is kept than it may have."""
        while data and not self._refused:
            if not self._receives:
                self._begin()
            size = len(data) if self._head is None else MAX_HEAD_BYTES + 1 - self._head
            piece, data = data[:size], data[size:]
            if self._head is None:
                self._body += len(piece)
            else:
                self._head += len(piece)
            super().data_received(piece)
            if (self._head or 0) > MAX_HEAD_BYTES:
                self._refuse(*_HEAD_TOO_LARGE)
            elif self._body > MAX_SENT_BYTES:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is sent in too many parts")

    def on_message_begin(self) -> None:
        """Begin to count, where one request follows another at once."""
        super().on_message_begin()
        if not self._receives:
            self._begin()

    def on_url(self, url: bytes) -> None:
        """Count it as a part of the head."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the headers; a trailer, which would count as one, is refused."""
        if self._head is None:
            raise self._unfit(HTTPStatus.BAD_REQUEST, "a chunked body has no trailer")
        if len(self.headers) >= MAX_HEADERS:
            raise self._unfit(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head has more than {MAX_HEADERS} headers"
            )
        super().on_header(name, value)
        self._count(len(name) + len(value) + len(": \r\n"))

    def on_headers_complete(self) -> None:
        """Give the body its time; the middleware bounds its size."""
        if not self.url.startswith(b"/") or b"#" in self.url:
            raise self._unfit(HTTPStatus.BAD_REQUEST, "the request's target is not a path")
        if len(self.pipeline) >= MAX_PIPELINED:
            raise self._unfit(HTTPStatus.BAD_REQUEST, "too many requests wait for their answers")
        self._head = None
        self._expect(BODY_SECONDS, self._too_late)
        super().on_headers_complete()
        self.cycle.transport = _AnswerTransport(self)
        if self.parser.should_upgrade():
            # What follows would be of the other protocol.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Wait no longer: it is the hub's turn."""
        self._receives, self._head, self._body = False, 0, 0
        if self.cycle.response_complete:
            self._expect(IDLE_SECONDS, self._close)
        else:
            self._expect_nothing()
            self._waits_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the client again, which must read the answer in time."""
        super().on_response_complete()
        if not self.pipeline:
            self._waits_since = self.loop.time()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._expect_reading()

    def pause_writing(self) -> None:
        """Bound the time in which the client reads."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """Forget the bound: the client has read."""
        super().resume_writing()
        self._forget_unread()

    def timeout_keep_alive_handler(self) -> None:
        """Close, and do not wait for a client that reads nothing."""
        self._close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser cannot read, without repeating it, and close."""
        self._refuse(*(self._fault or (HTTPStatus.BAD_REQUEST, msg)))

    def close_after_answer(self) -> None:
        """Close; where the request has not arrived in full, let the client read the answer before."""
        if self._receives:
            self._linger()
        else:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: the request is answered in HTTP/1.1 (RFC 9110 section 7.8)."""

    def _begin(self) -> None:
        self._receives, self._head, self._read, self._body = True, 0, 0, 0
        self._expect(HEAD_SECONDS, self._too_late)
        if self._waits_since is not None:
            self._waits_since = self.loop.time()

    def _count(self, size: int) -> None:
        self._read += size
        if self._read > MAX_HEAD_BYTES:
            raise self._unfit(*_HEAD_TOO_LARGE)

    def _unfit(self, status: HTTPStatus, detail: str) -> _Unfit:
        self._fault = status, detail
        return _Unfit()

    def _expect(self, seconds: float, otherwise: Callable[[], object]) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, otherwise)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expect_reading(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_late(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time")

    def _make_room(self) -> None:
        """Close the connection that has waited longest; this one, if all others are being answered."""
        waiting = {
            each: each._waits_since
            for each in self.connections
            if isinstance(each, Protocol) and each is not self and each._waits_since is not None
        }
        longest = min(waiting, key=lambda each: waiting[each], default=self)
        self.connections.discard(longest)
        if longest is self or longest._receives:
            longest._refuse(*_TOO_MANY)
        longest._close()

    def _close(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer in the place of the application, and close, once the answers that are due have left."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._expect_nothing()
        request_id = uuid.uuid4()
        _log.info("(no request) %d", status)
        self._count_refusal(status.value, source=self.client and self.client[0], request_id=request_id)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            # The application waits for the rest of a body.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or self.pipeline:
                self._close()
                return
        elif self._head is None:
            # It was answered before it had arrived.
            self._close()
            return
        self._answer(status, detail, request_id)
        self._linger()

    def _linger(self) -> None:
        """Discard what the client still sends: closed at once, the connection would lose the answer."""
        self._refused = True
        self._waits_since = self.loop.time()
        self.transport.write_eof()
        self._expect(LINGER_SECONDS, self.transport.abort)

    def _answer(self, status: HTTPStatus, detail: str, request_id: uuid.UUID) -> None:
        document = {
            "title": status.phrase,
            "status": status.value,
            "detail": detail,
            "instance": f"urn:uuid:{request_id}",
        }
        body = orjson.dumps(document)
        retry = "Retry-After: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "Content-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"X-Request-Id: {request_id}\r\n"
            f"{retry}"
            "Cache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)


class _AnswerTransport(asyncio.Transport):
    """What uvicorn writes an answer to, and closes after the last one."""

    def __init__(self, protocol: Protocol) -> None:
        super().__init__()
        self._protocol = protocol

    def write(self, data: Any) -> None:
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        self._protocol.close_after_answer()
