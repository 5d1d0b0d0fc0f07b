"""Whether what the source deletes goes from the hub, in the way that the connector states."""

from __future__ import annotations

from typing import Any

from oncehub.config.connector import (
    AbsenceDeletes,
    FlagDeletes,
    Stream,
    TombstoneDeletes,
    TombstoneStream,
    Updated,
)
from oncehub.conformance.readers import ReplayedPages, single_page
from oncehub.conformance.records import Stated, with_value
from oncehub.conformance.subject import Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.connect.formats import at
from oncehub.connect.stream.window import rendered_time


def deletes(subject: Subject) -> str:
    """A record turned into its deleted form goes from the hub; another one stays."""
    expected = subject.landed().contents
    living = [each for each in subject.known().latest.values() if each.lives and each.key in expected.rows]
    if len(living) < 2:
        raise NotShown("fewer than two living records make rows; run again when there are more")
    gone, *_, staying = living
    following = _after(subject, gone, living)
    subject.scratch.empty()
    subject.land(ReplayedPages(subject.known().pages))
    subject.land(following, full=False)
    rows = subject.contents().rows
    if gone.key in rows or staying.key not in rows:
        raise Fault(
            "deletion_missed",
            "a record in the form that `deletes` states for deleted ones did not go from the hub alone; "
            "correct `deletes`",
        )
    return f"by {_kind(subject.spec)}: one record went, the others stayed"


def _after(subject: Subject, gone: Stated, living: list[Stated]) -> ReplayedPages:
    """What the source says once the record is deleted."""
    spec = subject.spec
    match spec.deletes:
        case None:
            raise NotShown("the connector says nothing of deletions; if the source deletes, write `deletes`")
        case FlagDeletes(field=field, equals=value):
            return single_page([with_value(gone.content, field, True if value is None else value)])
        case TombstoneDeletes(field=field, equals=value):
            mark = True if value is None else value
            return single_page([with_value(_tombstone(spec, gone, spec.key, spec.updated), field, mark)])
        case TombstoneStream(key=key, updated=updated):
            tombstone = _tombstone(spec, gone, key or spec.key, updated or spec.updated)
            return single_page([tombstone], kind="deletions")
        case AbsenceDeletes(at_most=at_most):
            if at_most * len(living) < 1:
                raise NotShown("one record is more than `deletes.at_most` of them all")
            return single_page([each.content for each in living if each is not gone])


def _tombstone(spec: Stream, gone: Stated, key: tuple[str, ...], updated: Updated) -> Any:
    record: Any = {}
    for path, own in zip(key, spec.key, strict=True):
        record = with_value(record, path, at(gone.content, own))
    stated: Any = at(gone.content, spec.updated.field)
    if updated != spec.updated and gone.at is not None:
        text = rendered_time(gone.at, updated)
        stated = int(text) if updated.format in {"unix", "unix_ms"} else text
    return with_value(record, updated.field, stated)


def _kind(spec: Stream) -> str:
    return spec.deletes.kind if spec.deletes else "none"
