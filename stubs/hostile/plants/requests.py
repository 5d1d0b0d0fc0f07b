"""Plants that spoil a request before the source looks at it, or its answer as a whole.

Those that come and go spare every other request, so that a second try succeeds; those that last begin with
the second request, so that a reader has begun before they show.
"""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import cycle
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stubs.hostile.plants.registry import Plant, Turn
from stubs.hostile.variant import Variant
from stubs.servers.protocol.refusals import answer_refusal, json_answer, unauthorised

SHORT_WAIT_SECONDS = 1
LONG_WAIT_SECONDS = 86_400
SLOW_SECONDS = 2.0
TOKEN_USES = 2
_ENDLESS_CHUNK = b" " * 65_536
_MAINTENANCE = "<!DOCTYPE html><html><body><h1>Hệ thống đang bảo trì</h1></body></html>"


class _Counting(Plant):
    """Spoils some of the requests since it was planted."""

    def __init__(self) -> None:
        self._seen = 0

    def answer(self, app: ASGIApp, turn: Turn, /) -> ASGIApp:
        self._seen += 1
        return self.spoiled(app, turn) if self.is_due(self._seen) else app

    def is_due(self, seen: int) -> bool:
        """Whether the `seen`-th request is spoiled."""
        raise NotImplementedError

    def spoiled(self, app: ASGIApp, turn: Turn) -> ASGIApp:
        """What answers such a request."""
        raise NotImplementedError


class _NowAndThen(_Counting):
    def is_due(self, seen: int) -> bool:
        return seen % 2 == 0


class _FromTheSecond(_Counting):
    def is_due(self, seen: int) -> bool:
        return seen >= 2


class RateLimited(_NowAndThen, name="rate_limited", harmless=True):
    """Every second request is answered 429 with Retry-After in seconds."""

    def spoiled(self, _app: ASGIApp, _turn: Turn) -> ASGIApp:
        return _too_many(str(SHORT_WAIT_SECONDS))


class RateLimitedDate(_NowAndThen, name="rate_limited_date", harmless=True):
    """Every second request is answered 429 with Retry-After as an HTTP date."""

    def spoiled(self, _app: ASGIApp, _turn: Turn) -> ASGIApp:
        when = datetime.now(UTC) + timedelta(seconds=SHORT_WAIT_SECONDS)
        return _too_many(format_datetime(when, usegmt=True))


class RateLimitedLong(_FromTheSecond, name="rate_limited_long"):
    """From the second request on the answer is 429 with a Retry-After of a day."""

    def spoiled(self, _app: ASGIApp, _turn: Turn) -> ASGIApp:
        return _too_many(str(LONG_WAIT_SECONDS))


class Flaky(_NowAndThen, name="flaky", harmless=True):
    """Every second request is answered 500, 502 or 503 in turn."""

    def __init__(self) -> None:
        super().__init__()
        self._statuses = cycle((500, 502, 503))

    def spoiled(self, _app: ASGIApp, _turn: Turn) -> ASGIApp:
        return json_answer({"error": "unavailable", "message": "try again"}, next(self._statuses))


class Slow(_NowAndThen, name="slow", harmless=True):
    """Every second answer begins two seconds late."""

    def spoiled(self, app: ASGIApp, _turn: Turn) -> ASGIApp:
        async def late(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(SLOW_SECONDS)
            await app(scope, receive, send)

        return late


class Truncated(_NowAndThen, name="truncated", harmless=True):
    """Every second body ends in its middle, with a Content-Length that matches the cut."""

    def spoiled(self, app: ASGIApp, _turn: Turn) -> ASGIApp:
        async def cut(scope: Scope, receive: Receive, send: Send) -> None:
            answer = await _whole(app, scope, receive)
            await answer.with_body(answer.body[: len(answer.body) // 2])(scope, receive, send)

        return cut


class MaintenancePage(_NowAndThen, name="maintenance_page", harmless=True):
    """Every second request is answered 200 with a page of HTML."""

    def spoiled(self, _app: ASGIApp, _turn: Turn) -> ASGIApp:
        return HTMLResponse(_MAINTENANCE)


class Endless(_FromTheSecond, name="endless"):
    """From the second request on the body begins as it should and then never ends."""

    def spoiled(self, app: ASGIApp, _turn: Turn) -> ASGIApp:
        async def flood(scope: Scope, receive: Receive, send: Send) -> None:
            answer = await _whole(app, scope, receive)
            headers = [header for header in answer.headers if header[0] != b"content-length"]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            chunk = answer.body[:-1]
            while not scope["state"]["transport"].is_closing():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = _ENDLESS_CHUNK
                await asyncio.sleep(0)

        return flood


class Dropped(_NowAndThen, name="dropped", harmless=True):
    """Every second answer's connection is cut in the middle of the body."""

    def spoiled(self, app: ASGIApp, _turn: Turn) -> ASGIApp:
        async def drop(scope: Scope, receive: Receive, send: Send) -> None:
            answer = await _whole(app, scope, receive)
            await send(answer.start)
            half = answer.body[: len(answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            scope["state"]["transport"].close()
            while (await receive())["type"] != "http.disconnect":
                pass

        return drop


class Redirects(_FromTheSecond, name="redirects"):
    """From the second request on the answer is 302 to another origin."""

    def spoiled(self, _app: ASGIApp, turn: Turn) -> ASGIApp:
        async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
            there = urlsplit(str(Request(scope).url))
            target = f"{turn.elsewhere}{there.path}?{there.query}"
            await RedirectResponse(target, 302)(scope, receive, send)

        return redirect


class TokenDiesEarly(Plant, name="token_dies_early", harmless=True):
    """A token serves two requests and is then refused with 401, long before its expires_in."""

    needs = "OAuth2"

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.auth.startswith("oauth2")

    def answer(self, app: ASGIApp, _turn: Turn, /) -> ASGIApp:
        async def count(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope)
            token = request.headers.get("Authorization", "")
            self._uses[token] += 1
            if self._uses[token] <= TOKEN_USES:
                await app(scope, receive, send)
                return
            refusal = unauthorised("invalid_token", "the token has ended", challenge="Bearer")
            await answer_refusal(request, refusal)(scope, receive, send)

        return count


class ForbiddenToken(_FromTheSecond, name="forbidden_token"):
    """From the second request on the credentials are answered 403."""

    def spoiled(self, _app: ASGIApp, _turn: Turn) -> ASGIApp:
        return json_answer({"error": "forbidden", "message": "you may not see this"}, 403)


class SecretInError(_FromTheSecond, name="secret_in_error"):
    """From the second request on the answer is 400 with the credentials and the query it got in its body."""

    def spoiled(self, _app: ASGIApp, _turn: Turn) -> ASGIApp:
        async def tell(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope)
            message = {"error": "invalid_request", "url": str(request.url), "headers": dict(request.headers)}
            await json_answer(message, 400)(scope, receive, send)

        return tell


class _Answer:
    """A whole answer of an application."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""

    @property
    def status(self) -> int:
        """Its status."""
        return int(self.start["status"])

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Its headers, names in lower case."""
        return [(name.lower(), value) for name, value in self.start["headers"]]

    def with_body(self, body: bytes) -> Response:
        """The answer with another body."""
        headers = {name.decode(): value.decode() for name, value in self.headers if name != b"content-length"}
        return Response(body, self.status, headers)


async def _whole(app: ASGIApp, scope: Scope, receive: Receive) -> _Answer:
    answer = _Answer()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.start = message
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, keep)
    return answer


def _too_many(retry_after: str) -> Response:
    message = {"error": "too_many_requests", "message": "slow down"}
    return json_answer(message, 429, {"Retry-After": retry_after})
