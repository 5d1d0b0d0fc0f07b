"""Around every request: its id, a bound on its body, and one log line without anything the caller wrote."""

from __future__ import annotations

import logging
import time
import uuid

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024

_log = logging.getLogger("oncehub.api.access")


class Framing:
    """ASGI middleware; puts `request_id` (UUID) into the request's state and `X-Request-Id` on the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4()
        scope.setdefault("state", {})["request_id"] = request_id
        start = time.monotonic()
        status = 500

        async def framed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_headers(request_id)]
            await send(message)

        try:
            await self._app(scope, _bounded(receive), framed_send)
        finally:
            milliseconds = (time.monotonic() - start) * 1000
            _log.info("%s %s %d %.0f ms", scope["method"], _template(scope), status, milliseconds)


def _bounded(receive: Receive) -> Receive:
    read = 0

    async def bounded_receive() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY_BYTES:
            raise HTTPException(413, f"a body of more than {MAX_BODY_BYTES} bytes is not read")
        return message

    return bounded_receive


def _headers(request_id: uuid.UUID) -> list[tuple[bytes, bytes]]:
    # Personal data must not rest in a cache on the way.
    return [(b"x-request-id", str(request_id).encode()), (b"cache-control", b"no-store")]


def _template(scope: Scope) -> str:
    """Return the path as declared (`/v1/feeds/{feed}/changes`): a caller's own path may hold anything."""
    return getattr(scope.get("route"), "path", "(no such path)")
