"""Key, statement time and deletion mark of records as sent, and altered copies of a record."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oncehub.config.connector import FlagDeletes, SequenceChanges, Stream, TombstoneDeletes, TombstoneStream
from oncehub.config.syntax.paths import leads_to_one, steps_of
from oncehub.conformance.verdict import NotShown
from oncehub.connect.page import Page
from oncehub.normalize.key_and_time import KeyAndTime, highest
from oncehub.normalize.normalizer import DeleteMarks
from oncehub.normalize.unreadable import readable


@dataclass(frozen=True)
class Stated:
    """One record of a page.

    Attributes:
        key: as the hub keys it; None where unreadable.
        at: time of statement, UTC; None where unreadable.
        number: of the change, in a stream with changes by sequence.
        lives: whether the record is one that was not deleted.
        content: as sent.
    """

    key: str | None
    at: datetime | None
    number: int | None
    lives: bool
    content: Any


def stated_in(spec: Stream, pages: Iterable[Page]) -> list[Stated]:
    """Return all records of some pages, in order."""
    return [each for page in pages for each in _of_page(spec, page)]


def _of_page(spec: Stream, page: Page) -> list[Stated]:
    records: Sequence[Any] = readable(page.records)
    if not records:
        return []
    key, updated = spec.key, spec.updated
    gone = set(range(len(records)))
    if page.kind == "records":
        marked = spec.deletes if isinstance(spec.deletes, FlagDeletes | TombstoneDeletes) else None
        gone = set(DeleteMarks(marked).part(records, range(len(records)))[1])
    elif isinstance(spec.deletes, TombstoneStream):
        key, updated = spec.deletes.key or key, spec.deletes.updated or updated
    frame = KeyAndTime(key, updated).read_raw(records, range(len(records)))
    return [
        Stated(found, moment, _number(spec, records[row]), row not in gone, records[row])
        for row, found, moment in frame.iter_rows()
    ]


def _number(spec: Stream, record: Any) -> int | None:
    return highest([record], spec.changes.field) if isinstance(spec.changes, SequenceChanges) else None


def with_value(record: Any, path: str, value: Any) -> Any:
    """A copy of a record with another value at a dotted path; objects on the way are made."""
    changed = copy.deepcopy(record)
    *above, last = _names(path)
    inner = changed
    for name in above:
        if not isinstance(inner.get(name), dict):
            inner[name] = {}
        inner = inner[name]
    inner[last] = value
    return changed


def without_value(record: Any, path: str) -> Any:
    """A copy of a record without the field at a dotted path."""
    changed = copy.deepcopy(record)
    *above, last = _names(path)
    inner = changed
    for name in above:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(last, None)
    return changed


def _names(path: str) -> list[str]:
    names = [step for step in steps_of(path) if isinstance(step, str)] if leads_to_one(path) else []
    if not names or len(names) < len(steps_of(path)):
        raise NotShown(f"{path} leads through a list, which the suite does not change")
    return names


def differing_fields(one: Any, other: Any) -> set[str]:
    """Names of the fields in which two records differ, at their top."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return set()
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
