"""Paths into records and pages: dotted ones, and JSONPath (RFC 9535) where one begins with `$`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonpath_rfc9535
from jsonpath_rfc9535.segments import JSONPathChildSegment
from jsonpath_rfc9535.selectors import IndexSelector, NameSelector
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_DOTTED = re.compile(r"[^.\s]+(\.[^.\s]+)*")

Step = str | int | None
"""A name, the index of an item, or any number of items (None)."""


def is_json_path(path: str) -> bool:
    """Return whether a path is a JSONPath."""
    return path.startswith("$")


@lru_cache(4096)
def query_of(path: str) -> jsonpath_rfc9535.JSONPathQuery:
    """Compile a JSONPath.

    Raises:
        ValueError: when it is none.
    """
    try:
        return jsonpath_rfc9535.compile(path)
    except jsonpath_rfc9535.JSONPathError as error:
        said = str(error).partition(", line")[0]
        raise ValueError(
            f"is no JSONPath: {said}; write one such as $.link[?@.relation=='next'].url"
        ) from None


@lru_cache(4096)
def steps_of(path: str) -> tuple[Step, ...]:
    """Return the steps of a path.

    Raises:
        ValueError: when a JSONPath selects by `..` or by several selectors in one pair of brackets.
    """
    if not is_json_path(path):
        return tuple(path.split("."))
    return tuple(_step(path, segment) for segment in query_of(path).segments)


def first_name(path: str) -> Step:
    """Return the name of the field where a path begins; None where it may begin at any."""
    try:
        return next(iter(steps_of(path)), None)
    except ValueError:
        return None


def leads_to_one(path: str) -> bool:
    """Tell whether a path finds one value at most."""
    try:
        return None not in steps_of(path)
    except ValueError:
        return False


def path_through(*steps: Step) -> str:
    """Return the path of these steps: a JSONPath where one is no step of a dotted path."""
    names = [step for step in steps if isinstance(step, str) and _DOTTED.fullmatch(step) and "." not in step]
    if names and len(names) == len(steps) and not is_json_path(names[0]):
        return ".".join(names)
    return "$" + "".join(map(_bracketed, steps))


def _bracketed(step: Step) -> str:
    if not isinstance(step, str):
        return "[*]" if step is None else f"[{step}]"
    plain = re.fullmatch(r"[^'\"\\\x00-\x1f]*", step)
    return f"['{step}']" if plain else f"[{json.dumps(step, ensure_ascii=False)}]"


def _step(path: str, segment: Any) -> Step:
    if not isinstance(segment, JSONPathChildSegment) or len(segment.selectors) != 1:
        raise ValueError(f"{path} may lead anywhere; name each field, without .. and lists of names")
    match segment.selectors[0]:
        case NameSelector(name=str(name)):
            return name
        case IndexSelector(index=int(index)):
            return index
        case _:
            return None


@dataclass(frozen=True)
class JsonPathOrDotted:
    """Refuses a text that is neither a dotted path nor a JSONPath."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check what is otherwise a text."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Editors check by a pattern, which takes any JSONPath."""
        return {**handler(schema), "pattern": rf"^(\$.*|{_DOTTED.pattern})$"}

    def _checked(self, text: str) -> str:
        if is_json_path(text):
            query_of(text)
        elif not _DOTTED.fullmatch(text):
            raise ValueError("write a dotted path such as data.items, or a JSONPath such as $['a.b']")
        return text
