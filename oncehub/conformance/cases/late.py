"""Whether records that commit after a reading, though stated before its end, come with the next one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from oncehub.config.connector import TimeChanges
from oncehub.conformance.readings import Noted, Remembered
from oncehub.conformance.subject import Read, Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.connect.page import Page

_HELD_BACK = 5


def late_rows(subject: Subject) -> str:
    """Records held back from the first reading, as if not committed yet, come with the next one."""
    known = subject.known()
    expected = subject.landed().contents
    marks = _marks(subject, known)
    newest, near = _pair(subject, marks)
    late = near & expected.rows.keys()
    if not late:
        raise NotShown("of records within `changes.overlap` none landed; run again when others are there")
    subject.scratch.empty()
    away = {key for key, mark in marks.items() if mark > newest or key in late}
    subject.land(Remembered(_without(known, away)))
    noted: list[Noted] = []
    subject.land(subject.live(noted), full=False)
    lost = expected.unlike(subject.held()) & late
    if lost and any(each.cut for each in noted):
        raise NotShown("the changes were not read to their end; raise --limit-pages")
    if lost:
        raise Fault(
            "late_rows",
            f"of {len(late)} records that committed late, {len(lost)} did not come with the next reading, "
            "though stated within `changes.overlap`; check `changes.since`, and ask the agency",
        )
    return f"{len(late)} records that committed late came with the next reading of changes"


def _marks(subject: Subject, known: Read) -> dict[str, Any]:
    """What each living record says of its place among the changes: a time, or a number."""
    if subject.spec.changes is None:
        raise NotShown("everything is read each time")
    by_time = isinstance(subject.spec.changes, TimeChanges)
    marks: dict[str, Any] = {
        key: each.at if by_time else each.number for key, each in known.latest.items() if each.lives
    }
    until: Any = subject.whole.until
    return {key: mark for key, mark in marks.items() if mark is not None and (until is None or mark < until)}


def _pair(subject: Subject, marks: dict[str, Any]) -> tuple[Any, set[str]]:
    """The newest place with others shortly before it, and the keys of those."""
    overlap: Any = subject.spec.changes and subject.spec.changes.overlap
    for newest in sorted(set(marks.values()), reverse=True):
        late = [key for key, mark in marks.items() if newest - overlap < mark < newest]
        if late:
            return newest, set(sorted(late, key=lambda key: marks[key])[-_HELD_BACK:])
    raise NotShown("no two records lie within `changes.overlap`; run again when the source holds such")


def _without(known: Read, away: Collection[str]) -> list[Page]:
    gone = [each.content for each in known.stated if each.key in away]
    return [
        replace(page, records=[record for record in page.records if record not in gone], total=None)
        for page in known.pages
    ]
