"""A value of a record that no reader can take as it stands, so that only its record is rejected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

MOST_LEVELS: Final = 300
"""Levels that are read of a page; a record of so many is rejected, for the JSON writer takes fewer."""


class Unreadable:
    """A value, or a whole record, that stands where it was read until its record is rejected.

    No JSON writer and no validator takes one, so it cannot land by oversight.

    Attributes:
        reason: what is wrong; never a value.
        text: how the source wrote it.
    """

    __slots__ = ("reason", "text")

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unreadable) and (self.reason, self.text) == (other.reason, other.text)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Tell two of them apart without personal data."""
        digest = hashlib.blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"Unreadable({self.reason!r}, {digest})"


def is_text(value: str) -> bool:
    """Tell whether a string is Unicode text: lone surrogates stand for bytes and escapes that are none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_written(value: Any) -> bytes:
    """Write a value as JSON, with what is unreadable in it as the source wrote it."""
    return "".join(_pieces(value, MOST_LEVELS)).encode("utf-8", "surrogateescape")


def _pieces(value: Any, levels: int) -> Iterator[str]:
    match value:
        case Unreadable():
            yield value.text
        case dict() | list() if not levels:
            yield "null"
        case dict():
            for number, (name, inner) in enumerate(value.items()):
                yield f"{',' if number else '{'}{json.dumps(name)}:"
                yield from _pieces(inner, levels - 1)
            yield "}" if value else "{}"
        case list():
            for number, inner in enumerate(value):
                yield "," if number else "["
                yield from _pieces(inner, levels - 1)
            yield "]" if value else "[]"
        case _:
            yield json.dumps(value, default=str)
