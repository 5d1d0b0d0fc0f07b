"""Records that JSON cannot hold: found one by one, so that each alone is rejected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from oncehub.connect.formats.unreadable import MOST_LEVELS, Unreadable, is_text
from oncehub.normalize.checks import Fault
from oncehub.normalize.contract.differences import masked, path_of

_Place = tuple[str | int, ...]

_DEEPEST: Final = 253
"""Levels of a record that the JSON writer takes within a list."""


def fault_of(row: int, record: Any) -> Fault | None:
    """Return what keeps a record from being written as JSON, None where nothing does."""
    try:
        orjson.dumps([record])
    except orjson.JSONEncodeError:
        place, reason = _flaw(record)
        return Fault(row, "contract", reason, path_of(masked(place)))
    return None


def readable(records: Sequence[Any]) -> list[Any]:
    """Return records with what can be read of those that JSON cannot hold; see `readable_part`."""
    return [readable_part(each) if fault_of(row, each) else each for row, each in enumerate(records)]


def readable_part(value: Any, levels: int = MOST_LEVELS) -> Any:
    """Return a value with null for all that is unreadable or nests too deep in it."""
    match value:
        case dict() if levels:
            return {
                name: readable_part(inner, levels - 1)
                for name, inner in value.items()
                if isinstance(name, str) and is_text(name)
            }
        case list() if levels:
            return [readable_part(inner, levels - 1) for inner in value]
        case str() if is_text(value):
            return value
        case bool() | float():
            return value
        case int() if -(2**63) <= value < 2**64:
            return value
        case _:
            return None


def _flaw(record: Any) -> tuple[_Place, str]:
    """Find the first flaw, without recursion, as what nests deep is one."""
    left: list[tuple[_Place, Any]] = [((), record)]
    while left:
        place, value = left.pop()
        match value:
            case Unreadable():
                return place, value.reason
            case dict() | list() if len(place) >= _DEEPEST:
                return place[:1], f"nests deeper than {_DEEPEST} levels"
            case dict():
                if not all(isinstance(name, str) and is_text(name) for name in value):
                    return place, "has a name that is no Unicode text"
                left += [((*place, name), inner) for name, inner in reversed(value.items())]
            case list():
                left += [((*place, index), inner) for index, inner in reversed(list(enumerate(value)))]
            case str() if not is_text(value):
                return place, "holds bytes or an escape that is no Unicode text"
            case bool() | str() | float() | None:
                pass
            case int() if -(2**63) <= value < 2**64:
                pass
            case _:
                return place, "is no value of JSON"
    return (), "is no record of JSON"
