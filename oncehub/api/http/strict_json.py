"""Request bodies must be I-JSON (RFC 7493): text that two parsers could read differently is refused."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import jiter
from starlette.datastructures import Headers

MAX_DEPTH: Final = 32
"""How deep arrays and objects may be nested; no request needs more than a handful of levels."""

_DEEP: Final = f"the body nests deeper than {MAX_DEPTH} levels"


class NotStrict(ValueError):
    """The text is not I-JSON; the message gives the reason, and repeats nothing of the text."""


def is_json(headers: Headers) -> bool:
    """Return whether the content type of a request is JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def require_strict(body: bytes) -> Any:
    """Check a body that is sent as JSON, and return its content.

    Raises:
        NotStrict: when it is not JSON in UTF-8, has a name twice, NaN or an infinite number, lone surrogates,
            zero characters (which PostgreSQL cannot store), or is nested too deeply.
    """
    try:
        content = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise NotStrict(_reason(str(error))) from None
    _require_plain(content)
    return content


def _reason(message: str) -> str:
    """Return the parser's message without the name that it may quote."""
    if message.startswith("Detected duplicate key"):
        return "an object of the body has a name twice"
    if message.startswith("recursion limit"):
        return _DEEP
    if message.startswith("invalid unicode"):
        return "the body is not UTF-8"
    place = re.search(r"line (\d+) column (\d+)$", message)
    return f"the body is not JSON: line {place[1]}, column {place[2]}" if place else "the body is not JSON"


def _require_plain(content: Any) -> None:
    """Check what the parser accepts: numbers beyond a double, zero characters, and depth."""
    level = [content]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each)
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
            elif isinstance(each, str) and "\0" in each:
                raise NotStrict("a text of the body holds a zero character")
            elif isinstance(each, int | float) and not _is_double(each):
                raise NotStrict("a number of the body is too large")
        if not below:
            return
        level = below
    raise NotStrict(_DEEP)


def _is_double(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
