"""Whether records that commit after a reading, though stated before its end, come with the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from oncehub.conformance.readings import Remembered
from oncehub.conformance.records import Stated
from oncehub.conformance.subject import Read, Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.connect import Page
from oncehub.model.connector import SequenceChanges, TimeChanges

_HELD_BACK = 5


def late_rows(subject: Subject) -> str:
    """Records held back from the first reading, as if not committed yet, come with the next one."""
    known = subject.known()
    expected = subject.landed().contents
    late = [each for each in _late(subject, known) if each.key in expected.rows]
    if not late:
        raise NotShown("no record lies within `changes.overlap` of the newest one; run again when some do")
    subject.scratch.empty()
    subject.land(Remembered(_without(known.pages, late)))
    subject.land(subject.live(), full=False)
    if unlike := expected.unlike(subject.held()):
        raise Fault(
            "late_rows",
            f"of {len(late)} records that committed late, {len(unlike)} did not come with the next reading, "
            "though stated within `changes.overlap`; check `changes.since`, and ask the agency",
        )
    return f"{len(late)} records that committed late came with the next reading of changes"


def _late(subject: Subject, known: Read) -> list[Stated]:
    """Living records behind the newest, near enough that the next reading asks for them again."""
    match subject.spec.changes:
        case TimeChanges(overlap=overlap):
            marks: dict[str, Any] = {key: each.at for key, each in known.latest.items() if each.at}
            until: Any = subject.whole.until
            reach: Any = overlap
        case SequenceChanges(overlap=numbers):
            marks = {key: each.number for key, each in known.latest.items() if each.number is not None}
            until, reach = None, numbers
        case _:
            raise NotShown("everything is read each time")
    marks = {key: mark for key, mark in marks.items() if until is None or mark < until}
    if not marks:
        return []
    newest = max(marks.values())
    near = [key for key, mark in marks.items() if newest - reach < mark < newest and known.latest[key].lives]
    return [known.latest[key] for key in sorted(near, key=lambda key: marks[key])[-_HELD_BACK:]]


def _without(pages: Sequence[Page], late: Sequence[Stated]) -> list[Page]:
    away = [each.content for each in late]
    return [
        replace(page, records=[record for record in page.records if record not in away], total=None)
        for page in pages
    ]
