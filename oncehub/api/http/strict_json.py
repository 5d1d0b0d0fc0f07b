"""Bodies are I-JSON (RFC 7493): what two readers could take for two things is refused."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from starlette.datastructures import Headers

MAX_DEPTH = 32
"""How deep arrays and objects may lie in each other; no request needs more than a handful."""


def says_json(headers: Headers) -> bool:
    """Tell whether a request says that its body is JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


class NotStrict(ValueError):
    """The text is no I-JSON; the message says why, and repeats nothing of it."""


def require_strict(body: bytes) -> None:
    """Check a body that says it is JSON.

    Raises:
        NotStrict: when it is not JSON in UTF-8, or holds a name twice, NaN or an infinite number, lone
            surrogates, or zero characters (which PostgreSQL's text cannot hold), or lies too deep.
    """
    try:
        content = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotStrict("the body is not UTF-8") from None
    except RecursionError:
        raise NotStrict(_DEEP) from None
    except json.JSONDecodeError as error:
        raise NotStrict(f"the body is not JSON: line {error.lineno}, column {error.colno}") from None
    _require_plain(content)


_DEEP = f"the body nests deeper than {MAX_DEPTH} levels"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise NotStrict("an object of the body holds a name twice")
    return content


def _constant(_: str) -> NoReturn:
    raise NotStrict("NaN and Infinity are not JSON")


def _number(text: str) -> float:
    # Whole numbers beyond any field's bounds are the routes' to refuse; here only what no number is.
    value = float(text)
    if not math.isfinite(value):
        raise NotStrict("a number of the body is too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_number, parse_int=_number
)


def _require_plain(content: Any) -> None:
    level = [content]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                _require_text(each)
            elif isinstance(each, dict):
                below.extend(each)
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        if not below:
            return
        level = below
    raise NotStrict(_DEEP)


def _require_text(text: str) -> None:
    if "\0" in text:
        raise NotStrict("a text of the body holds a zero character")
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise NotStrict("a text of the body holds half a surrogate pair")
