"""Opaque cursors: the sort position of the last record sent, base64url."""

import base64
import binascii

import orjson

from stubs.servers.protocol.parameters import Window
from stubs.servers.protocol.refusals import bad_parameter
from stubs.servers.protocol.windows import SortedStream, microseconds

Position = tuple[int, str]


def encode_cursor(position: Position) -> str:
    """The opaque text of a sort position."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def decode_cursor(parameter: str, text: str, stream: SortedStream, window: Window) -> Position:
    """The sort position of a cursor, or a 400 that names `parameter`.

    A cursor is known when it lies in the window and its record stands there, or stood there before the world
    moved on: so a reader that stopped can resume from it.
    """
    position = _parse(text)
    if position is None or not _in_window(position[0], window) or not stream.has_stood_at(*position):
        raise bad_parameter(parameter, "unknown cursor")
    return position


def _parse(text: str) -> Position | None:
    try:
        value = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    match value:
        case [int(micros), str(key)] if not isinstance(micros, bool):
            return micros, key
        case _:
            return None


def _in_window(micros: int, window: Window) -> bool:
    since, until = window
    return (since is None or micros >= microseconds(since)) and (
        until is None or micros < microseconds(until)
    )
