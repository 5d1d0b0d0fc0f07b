"""Whether readings of changes miss nothing: by window of time or sequence, and records committed late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from oncehub.config.connector import SequenceChanges, TimeChanges, TokenChanges
from oncehub.conformance.readers import LimitedReader, ReplayedPages
from oncehub.conformance.records import Stated
from oncehub.conformance.subject import Read, Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.connect.page import Page
from oncehub.connect.stream.window import Window

_MOMENTS = 3


def since(subject: Subject) -> str:
    """Asked from a moment on, the source gives all that was stated since, and nothing earlier."""
    known, moments = _shown(subject)
    for moment in moments:
        window = Window(moment, subject.whole.until)
        read = subject.read(window)
        if earlier := [each for each in read.stated if _place(subject, each, before=moment)]:
            raise Fault(
                "ignores_since",
                f"asked from a moment on, {len(earlier)} of {len(read.stated)} records came that were stated "
                "before it: every run will read more than it needs; check `changes.since`, and ask the "
                "agency",
            )
        if read.complete:
            _check_all_came(subject, known, read, window)
    return f"asked from {_count(moments, subject)} on: all that was stated since came, and nothing earlier"


def until(subject: Subject) -> str:
    """Asked up to a moment, the source gives nothing stated at it or later, and with the rest everything."""
    known, moments = _shown(subject)
    changes = subject.spec.changes
    if not isinstance(changes, TimeChanges | SequenceChanges) or (
        changes.until is None and "until" not in subject.spec.read.placeholders
    ):
        raise NotShown("the source knows no upper bound; if it can, name its parameter in `changes.until`")
    for moment in moments:
        window = Window(_first(subject, known), moment)
        read = subject.read(window)
        if later := [each for each in read.stated if _place(subject, each, from_on=moment)]:
            exactly = sum(_mark(subject, each) == moment for each in later)
            if exactly < len(later):
                raise Fault(
                    "ignores_until",
                    f"asked up to a moment, {len(later)} of {len(read.stated)} records came that were stated "
                    "at it or later; check `changes.until`, and ask the agency",
                )
        if read.complete:
            _check_all_came(subject, known, read, window)
    return f"asked up to {_count(moments, subject)}: nothing later came, and nothing earlier was missing"


def same_time(subject: Subject) -> str:
    """Records stated at one moment all come, though a page ends between them or a window begins there."""
    known, _ = _shown(subject)
    if isinstance(subject.spec.changes, SequenceChanges):
        raise NotShown("changes are numbered, where no two are alike")
    shared = _shared_over_pages(known) or _most_shared(known)
    if shared is None:
        raise NotShown("no two records were stated at one moment; run again when the source holds such")
    read = subject.read(Window(shared, subject.whole.until))
    there = {each.key for each in known.stated if each.at == shared and each.lives}
    if read.complete and (lost := there - read.latest.keys()):
        raise Fault(
            "same_timestamp",
            f"{len(lost)} of {len(there)} records stated at one moment did not come when asked from it on: "
            "pages must not be cut by time alone; ask the agency to order by time and key",
        )
    return f"{len(there)} records stated at one moment all came when asked from it on"


def _shown(subject: Subject) -> tuple[Read, list[Any]]:
    known = subject.known()
    if subject.spec.changes is None:
        raise NotShown("the connector cannot ask for what changed; if the source can tell, write `changes`")
    if isinstance(subject.spec.changes, TokenChanges):
        raise NotShown("changes are listed from a token, not from a moment or number")
    moments = _chosen(subject, known)
    if not moments:
        raise NotShown("no record says when it was stated")
    return known, moments


def _chosen(subject: Subject, known: Read) -> list[Any]:
    """Moments that occur: a late one, one at a page's beginning, one that several records share."""
    marks = sorted({mark for each in known.stated if (mark := _mark(subject, each)) is not None})
    marks = [mark for mark in marks if subject.whole.until is None or mark < subject.whole.until]
    if not marks:
        return []
    chosen = [marks[len(marks) * 4 // 5], marks[len(marks) // 2]]
    shared = _most_shared(known) if isinstance(subject.spec.changes, TimeChanges) else None
    return list(dict.fromkeys([shared, *chosen] if shared in marks else chosen))[:_MOMENTS]


def _check_all_came(subject: Subject, known: Read, read: Read, window: Window) -> None:
    """Raise when a record that was stated in the window is neither in its reading nor stated anew since."""
    there = [each for each in known.latest.values() if each.lives and _within(subject, each, window)]
    lost = [each for each in there if each.key not in read.latest]
    if lost and window.until is not None:
        # Stated anew meanwhile, it has left the window.
        now = subject.read(Window(window.since, None)).latest
        lost = [
            each
            for each in lost
            if each.key not in now or _mark(subject, now[each.key]) == _mark(subject, each)
        ]
    if not lost:
        return
    at_bound = sum(_mark(subject, each) == window.since for each in lost)
    if at_bound == len(lost):
        raise Fault(
            "since_exclusive",
            f"{at_bound} records stated exactly at the lower bound did not come, though `changes.since` is "
            "inclusive: rows at a cursor would be lost; ask the agency, or keep an overlap that covers it",
        )
    raise Fault(
        "window_loses_rows",
        f"{len(lost)} of {len(there)} records stated within a window did not come when asked for it; "
        "check the form and zone of `updated`, and ask the agency",
    )


def _within(subject: Subject, each: Stated, window: Window) -> bool:
    mark = _mark(subject, each)
    if mark is None or (window.until is not None and mark >= window.until):
        return False
    # A bound of a sequence may be exclusive: the highest number was seen already.
    by_sequence = isinstance(subject.spec.changes, SequenceChanges)
    return window.since is None or mark > window.since or (mark == window.since and not by_sequence)


def _place(subject: Subject, each: Stated, *, before: Any = None, from_on: Any = None) -> bool:
    mark = _mark(subject, each)
    if mark is None:
        return False
    return bool(mark < before) if before is not None else bool(mark >= from_on)


def _mark(subject: Subject, each: Stated) -> Any:
    """What the stream tells its changes by: a time, or a number."""
    return each.number if isinstance(subject.spec.changes, SequenceChanges) else each.at


def _first(subject: Subject, known: Read) -> Any:
    return min(mark for each in known.stated if (mark := _mark(subject, each)) is not None)


def _most_shared(known: Read) -> datetime | None:
    shared = Counter(each.at for each in known.stated if each.at and each.lives)
    moment, count = shared.most_common(1)[0] if shared else (None, 0)
    return moment if count > 1 else None


def _shared_over_pages(known: Read) -> datetime | None:
    """A moment of records on both sides of a page's end."""
    end = 0
    for page in known.pages[:-1]:
        end += len(page.records)
        if 0 < end < len(known.stated) and known.stated[end - 1].at == known.stated[end].at:
            return known.stated[end].at
    return None


def _count(moments: Sequence[Any], subject: Subject) -> str:
    kind = "number" if isinstance(subject.spec.changes, SequenceChanges) else "moment"
    return f"{len(moments)} {kind}s" if len(moments) != 1 else f"one {kind}"


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
    subject.land(ReplayedPages(_without(known, away)))
    noted: list[LimitedReader] = []
    subject.land(subject.live(noted), full=False)
    lost = expected.unlike(subject.contents()) & late
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
    overlap: Any = getattr(subject.spec.changes, "overlap", None)
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
