"""Middleware for every request: its id, its bounds, and one log line without content of the caller."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oncehub.api.http.problems import problem
from oncehub.api.http.source import Networks, source_address
from oncehub.api.http.strict_head import HeadRefused, require_strict_head
from oncehub.api.http.strict_json import NotStrict, is_json, require_strict
from oncehub.logs import bind_contextvars
from oncehub.traces import span

MAX_BODY_BYTES = 64 * 1024

_log = logging.getLogger("oncehub.api.access")


class RequestMiddleware:
    """ASGI middleware; sets `request_id` (UUID) in the request's state and `X-Request-Id` on the response.

    The state also has the `source` of the request, its address or None, and the `content` of a body in JSON.
    A HEAD is answered as the GET would be, without its body (RFC 9110 section 9.3.2): logged and counted too.

    Args:
        refused: called with the status and the state of each request that is refused.
        measured: called with the method, declared path, status and seconds of each request.
        proxies: whose word on the source is taken.
    """

    def __init__(
        self,
        app: ASGIApp,
        refused: Callable[[int, Mapping[str, Any]], None] = lambda *_: None,
        proxies: Networks = (),
        measured: Callable[[str, str, int, float], None] = lambda *_: None,
    ) -> None:
        self._app = app
        self._refused = refused
        self._proxies = proxies
        self._measured = measured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4()
        state = scope.setdefault("state", {})
        state |= {"request_id": request_id, "source": source_address(scope, self._proxies)}
        bind_contextvars(request_id=str(request_id))
        method = scope["method"]
        inner = {**scope, "method": "GET"} if method == "HEAD" else scope
        start = time.monotonic()
        status = 500

        async def framed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if 400 <= status < 500 or status == 503:
                    # Before the answer leaves, so that the caller finds it counted.
                    self._refused(status, state)
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = str(request_id)
                # Personal data must not be stored in a cache on the way.
                headers["Cache-Control"] = "no-store"
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        parent = Headers(scope=scope).get("traceparent")
        with span("request", {"oncehub.request_id": str(request_id)}, kind="server", parent=parent) as traced:
            try:
                await self._answer(inner, receive, framed_send)
            except ClientDisconnect:
                # Nobody is there to be answered.
                status = 400
            finally:
                seconds = time.monotonic() - start
                named, path = _method(method), _template(inner)
                self._measured(named, path, status, seconds)
                traced.update_name(f"{named} {path}")
                for key, value in (
                    ("http.request.method", named),
                    ("http.route", path),
                    ("http.response.status_code", status),
                ):
                    traced.set_attribute(key, value)
                _log.info("%s %s %d %.0f ms", named, path, status, seconds * 1000)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            require_strict_head(scope)
            body = await _read(scope, receive)
            if body and is_json(Headers(scope=scope)):
                scope["state"]["content"] = require_strict(body)
        except HeadRefused as error:
            # Others may see another request, and another end of it.
            headers = {**error.headers, "Connection": "close"}
            await problem(Request(scope), error.status, str(error), headers=headers)(scope, receive, send)
        except _TooLarge:
            detail = f"the body is larger than {MAX_BODY_BYTES} bytes"
            await problem(Request(scope), 413, detail, headers={"Connection": "close"})(scope, receive, send)
        except NotStrict as error:
            await problem(Request(scope), 400, str(error))(scope, receive, send)
        else:
            await self._app(scope, _replaying(body, receive), send)


class _TooLarge(Exception):
    """The body is larger than the limit."""


async def _read(scope: Scope, receive: Receive) -> bytes:
    """Return the whole body; stop as soon as it is too large."""
    length = Headers(scope=scope).get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
        raise _TooLarge
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _TooLarge
        more = message.get("more_body", False)
    return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _method(method: str) -> str:
    """Return the method where it is a standard one: a caller's own may hold anything."""
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
    return method if method in known else "(other method)"


def _template(scope: Scope) -> str:
    """Return the path as declared (`/v1/feeds/{feed}/changes`): a caller's own path may hold anything."""
    return getattr(scope.get("route"), "path", "(no such path)")
