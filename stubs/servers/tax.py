"""The taxpayer register: JSON, HMAC-signed requests, page numbers with a total."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.servers.hosted_world import HostedWorld
from stubs.servers.protocol.parameters import Query, vietnam_instant
from stubs.servers.protocol.refusals import json_answer, unauthorised
from stubs.servers.protocol.windows import wire_records

PAGE_MAXIMUM = 2000
MAXIMUM_SKEW_SECONDS = 300


class SignatureCheck:
    """Checks `X-Key-Id`, `X-Timestamp` and `X-Signature` of a request.

    The signature is lower-case hex HMAC-SHA256 over METHOD, PATH, QUERY as sent, TIMESTAMP and the hex
    SHA-256 of the body, joined by line feeds.
    """

    def __init__(self, key_id: str, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._key_id = key_id
        self._secret = secret.encode()
        self._clock = clock

    def check(self, request: Request, body: bytes) -> None:
        """Refuses with 401 a request that is unsigned, wrongly signed or too old."""
        key_id, timestamp, signature = (
            request.headers.get(name, "") for name in ("X-Key-Id", "X-Timestamp", "X-Signature")
        )
        if not (key_id and timestamp and signature):
            raise unauthorised("unsigned", "X-Key-Id, X-Timestamp and X-Signature are required")
        if not hmac.compare_digest(key_id.encode(), self._key_id.encode()):
            raise unauthorised("unknown_key", "X-Key-Id is not known")
        if not re.fullmatch(r"[0-9]{1,12}", timestamp):
            raise unauthorised("bad_timestamp", "X-Timestamp must be Unix seconds")
        if abs(int(timestamp) - self._clock()) > MAXIMUM_SKEW_SECONDS:
            raise unauthorised(
                "stale_timestamp", f"X-Timestamp is more than {MAXIMUM_SKEW_SECONDS} seconds off"
            )
        expected = self._signature(request, timestamp, body)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise unauthorised("bad_signature", "X-Signature does not match the request")

    def _signature(self, request: Request, timestamp: str, body: bytes) -> str:
        parts = [
            request.method.encode(),
            request.scope["raw_path"],
            request.scope["query_string"],
            timestamp.encode(),
            hashlib.sha256(body).hexdigest().encode(),
        ]
        return hmac.new(self._secret, b"\n".join(parts), hashlib.sha256).hexdigest()


class TaxServer:
    """The taxpayer register's API."""

    def __init__(self, world: HostedWorld, signatures: SignatureCheck) -> None:
        self._world = world
        self._signatures = signatures

    def routes(self) -> list[Route]:
        """The data endpoint."""
        return [Route("/v2/taxpayers", self.taxpayers, methods=["GET"])]

    async def taxpayers(self, request: Request) -> Response:
        """A page of registrations; with `tuNgay` those struck off come too."""
        body = await request.body()
        return await run_in_threadpool(self._page, request, body)

    def _page(self, request: Request, body: bytes) -> Response:
        self._signatures.check(request, body)
        query = Query(request, "trang", "soDong", "tuNgay", "denNgay")
        number = query.integer("trang", 1, minimum=1)
        size = query.integer("soDong", 1000, minimum=1, maximum=PAGE_MAXIMUM)
        window = query.window("tuNgay", "denNgay", vietnam_instant)
        with self._world.reading():
            stream = self._world.stream("tax", "registrations")
            selection = stream.select(*window, deleted=window[0] is not None)
            items = wire_records(selection.page((number - 1) * size, size))
        return json_answer({"data": {"trang": number, "tongSo": len(selection), "items": items}})
