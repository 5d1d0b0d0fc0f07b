"""Wraps each system's application: planned faults, and counts of the requests."""

import asyncio
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stubs.servers.protocol.refusals import json_answer

_MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>Bảo trì</title></head>"
    "<body><h1>Hệ thống đang bảo trì, xin quay lại sau.</h1></body></html>"
)


class Fault(BaseModel):
    """How the next `count` data requests of a system misbehave, after `after` healthy ones.

    `retry_after` (with kind `status`): seconds, or `http-date` for a date `seconds` from now.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    system: Literal["population", "portal", "tax", "customs", "banking"]
    kind: Literal["status", "slow", "truncate", "nonsense", "drop"]
    status: int = Field(default=503, ge=400, le=599)
    retry_after: int | Literal["http-date"] | None = None
    seconds: float = Field(default=2, ge=0, le=600)
    count: int = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)


class FaultPlan:
    """The planned faults of one system; a fault begins when the earlier ones are used up."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Adds a fault after those already planned."""
        with self._lock:
            self._faults.append(fault.model_copy())

    def clear(self) -> None:
        """Removes all planned faults."""
        with self._lock:
            self._faults.clear()

    def take(self) -> Fault | None:
        """The fault of the data request that arrives now, if it has one."""
        with self._lock:
            if not self._faults:
                return None
            fault = self._faults[0]
            if fault.after:
                fault.after -= 1
                return None
            fault.count -= 1
            if not fault.count:
                self._faults.pop(0)
            return fault


class RequestLog:
    """Counts of requests by method, path and status, which is None where the connection was dropped."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int | None]] = Counter()
        self._lock = Lock()

    def note(self, scope: Scope, status: int | None) -> None:
        """Counts one request; its query is not kept."""
        with self._lock:
            self._counts[scope["method"], scope["path"], status] += 1

    def counts(self) -> list[dict[str, object]]:
        """One object per (method, path, status), in the order first seen."""
        with self._lock:
            return [
                {"method": method, "path": path, "status": status, "count": count}
                for (method, path, status), count in self._counts.items()
            ]


class WatchedApp:
    """An application whose requests are counted and, but for `exempt` paths, may misbehave as planned."""

    def __init__(self, app: ASGIApp, plan: FaultPlan, log: RequestLog, exempt: Collection[str] = ()) -> None:
        self._app = app
        self._plan = plan
        self._log = log
        self._exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fault = None if scope["path"] in self._exempt else self._plan.take()
        if fault is not None and fault.kind == "drop":
            await self._drop(scope, receive)
            return
        await self._faulty(fault)(scope, receive, self._counting(scope, send))

    def _faulty(self, fault: Fault | None) -> ASGIApp:
        match fault:
            case None:
                return self._app
            case Fault(kind="status"):
                return _status_answer(fault)
            case Fault(kind="nonsense"):
                return HTMLResponse(_MAINTENANCE_PAGE)
            case Fault(kind="truncate"):
                return _Truncated(self._app)
            case _:
                return _Slow(self._app, fault.seconds)

    def _counting(self, scope: Scope, send: Send) -> Send:
        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._log.note(scope, message["status"])
            await send(message)

        return counting_send

    async def _drop(self, scope: Scope, receive: Receive) -> None:
        self._log.note(scope, None)
        scope["state"]["transport"].close()
        while (await receive())["type"] != "http.disconnect":
            pass


class _Slow:
    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._seconds)
        await self._app(scope, receive, send)


class _Truncated:
    """Cuts the body in the middle; the Content-Length is that of the cut, so only the content tells."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        cut = bytes(body[: len(body) // 2])
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        start["headers"] = [*headers, (b"content-length", str(len(cut)).encode())]
        await send(start)
        await send({"type": "http.response.body", "body": cut})


def _status_answer(fault: Fault) -> Response:
    headers = {}
    if fault.retry_after == "http-date":
        when = datetime.now(UTC) + timedelta(seconds=fault.seconds)
        headers["Retry-After"] = format_datetime(when, usegmt=True)
    elif fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    return json_answer({"error": "fault", "message": "a planned fault"}, fault.status, headers)
