"""Finds what stands at a path of a record or a page; each path is compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from oncehub.config.syntax.paths import Step, is_json_path, leads_to_one, path_through, query_of, steps_of
from oncehub.connect.formats.unreadable import Unreadable

Get = Callable[[Any], Any]


def at(content: Any, path: str) -> Any:
    """Return what stands at a path, or what is unreadable on it; None where it leads nowhere.

    Of several values that a JSONPath finds, the first.
    """
    return getter(path)(content)


def all_at(content: Any, path: str) -> list[Any]:
    """Return everything that stands at a path; of a dotted one, and where it leads nowhere, at most one."""
    if is_json_path(path) and not leads_to_one(path):
        found: list[Any] = query_of(path).find(content).values()
        return found
    value = at(content, path)
    return [] if value is None else [value]


def as_one(content: Any, path: str) -> Any:
    """Return the only value at a path; several texts are joined by spaces, of others there is none."""
    values = [value for value in all_at(content, path) if value is not None]
    if len(values) < 2:
        return values[0] if values else None
    return " ".join(values) if all(isinstance(value, str) for value in values) else None


@lru_cache(4096)
def getter(path: str) -> Get:
    """Return the function that `at` calls; for what reads many records."""
    if not leads_to_one(path):
        query = query_of(path)

        def first(content: Any) -> Any:
            found = query.find_one(content)
            return None if found is None else found.value

        return first
    steps = steps_of(path)
    if len(steps) == 1 and isinstance(steps[0], str):
        return _field(steps[0])
    return _along(steps)


def _field(name: str) -> Get:
    def field(content: Any) -> Any:
        if isinstance(content, dict):
            return content.get(name)
        return content if isinstance(content, Unreadable) else None

    return field


def _along(steps: tuple[Step, ...]) -> Get:
    def along(content: Any) -> Any:
        for step in steps:
            if isinstance(content, dict):
                content = content.get(step) if isinstance(step, str) else None
            elif isinstance(content, list) and isinstance(step, int):
                content = content[step] if -len(content) <= step < len(content) else None
            else:
                return content if isinstance(content, Unreadable) else None
        return content

    return along


@lru_cache(256)
def listed_by(path: str) -> tuple[str, str, str]:
    """Take apart a JSONPath that selects items: what holds them, the items, and the rest, from an item on."""
    segments = query_of(path).segments
    several = [place for place, each in enumerate(segments) if not leads_to_one(f"${each}")]
    first, last = several[0], several[-1] + 1
    parts = segments[:first], segments[:last], segments[last:]
    within, items, rest = ("$" + "".join(map(str, part)) for part in parts)
    return within, items, rest


def records_at(body: Any, path: str) -> Any:
    """Return the list at a path, or the list of what a JSONPath selects; None where there is neither.

    What lacks the last names of a JSONPath stays in the list as None: it must not get lost.
    """
    if not is_json_path(path) or leads_to_one(path):
        return at(body, path)
    within, items, rest = listed_by(path)
    if (found := at(body, within)) is None or isinstance(found, Unreadable):
        return found
    return list(map(getter(rest), all_at(body, items)))


def is_marked(record: Any, path: str, equals: str | bool | int | None) -> bool:
    """Tell whether a record has a value at a path: this one, or any where `equals` is None.

    Of several values that a JSONPath finds, one that fits is enough.
    """
    return marks([record], path, equals)[0]


def marks(records: Iterable[Any], path: str, equals: str | bool | int | None) -> list[bool]:
    """Return `is_marked` of each record."""
    if leads_to_one(path):
        return _fit(map(getter(path), records), equals)
    return [any(_fit(all_at(record, path), equals)) for record in records]


def _fit(values: Iterable[Any], equals: str | bool | int | None) -> list[bool]:
    if equals is None:
        return [value is not None for value in values]
    flag = isinstance(equals, bool)
    # 1 and true are equal to Python, not to JSON.
    return [value == equals and (type(value) is bool) is flag for value in values]


def with_field(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a record with a value at a path through objects, which are made where they lack."""
    name, *inner = (step for step in steps_of(path) if isinstance(step, str))
    if not inner:
        return {**record, name: value}
    within = record.get(name)
    made = with_field(within if isinstance(within, dict) else {}, path_through(*inner), value)
    return {**record, name: made}
