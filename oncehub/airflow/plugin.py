"""What oncehub adds to Airflow's pages: times are shown as of Vietnam."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from airflow.plugins_manager import AirflowPlugin

from oncehub.clock import VIETNAM

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HEAD: Final = b"<head>"
# Airflow 3.3 has no setting for it: its pages take what the browser's storage says, else the browser's zone.
_SCRIPT: Final = (
    "<script>localStorage.getItem('timezone')"
    f"||localStorage.setItem('timezone',JSON.stringify('{VIETNAM.key}'))</script>"
).encode()


class VietnamTime:
    """ASGI middleware: pages begin with Vietnam's time zone; a user may choose another."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, and add to the head of a page that answers it."""
        if b"text/html" not in dict(scope.get("headers", ())).get(b"accept", b""):
            await self._app(scope, receive, send)
            return
        # A page that is compressed could not be added to.
        asked = {**scope, "headers": [each for each in scope["headers"] if each[0] != b"accept-encoding"]}
        held: list[Message] = []

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            if held:
                start, body = _added(held.pop(), message)
                await send(start)
                message = body
            await send(message)

        await self._app(asked, receive, add)


def _added(start: Message, body: Message) -> tuple[Message, Message]:
    headers = dict(start["headers"])
    if not headers.get(b"content-type", b"").startswith(b"text/html") or body.get("more_body"):
        return start, body
    page = body.get("body", b"").replace(_HEAD, _HEAD + _SCRIPT, 1)
    others = [each for each in start["headers"] if each[0] != b"content-length"]
    length = (b"content-length", str(len(page)).encode())
    return {**start, "headers": [*others, length]}, {**body, "body": page}


class OncehubPlugin(AirflowPlugin):
    """Registers what is above; Airflow finds it by the entry point of the package."""

    name = "oncehub"
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012 - Airflow's own attribute
        {"middleware": VietnamTime, "args": [], "kwargs": {}, "name": "Vietnam time"},
    ]
