"""Whether what really changed in the source while the suite ran has reached the hub by reading changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from oncehub.conformance.hub import Contents
from oncehub.conformance.readers import LimitedReader
from oncehub.conformance.records import Stated
from oncehub.conformance.subject import Read, Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.intake.runs.cursor import full_window

_NOTHING = "while the suite ran, nothing was {}; give it time for that with --wait, or run it again later"


@dataclass(frozen=True)
class Aftermath:
    """The source and the hub at the end.

    Attributes:
        everything: a full reading, after the hub had read what changed.
        contents: the contents of the hub by then.
    """

    everything: Read
    contents: Contents


def observed(subject: Subject, now: datetime) -> Aftermath:
    """Read what changed into the kept hub, and then everything.

    Raises:
        NotShown: when there is nothing to compare.
        OncehubError: see `oncehub.intake.sync`.
    """
    subject.known()
    noted: list[LimitedReader] = []
    subject.kept.read(subject.connector, subject.stream, subject.live(noted), now=now)
    everything = subject.read(full_window(subject.connector, subject.stream, now))
    if not everything.complete or any(each.cut for each in noted):
        raise NotShown("the stream was not read to its end; raise --limit-pages")
    return Aftermath(everything, subject.kept.contents(subject.connector.source, subject.stream))


def arrivals(subject: Subject, aftermath: Aftermath) -> str:
    """What was added and changed came with the next reading of changes, not only with a full one."""
    first = subject.known()
    now = aftermath.everything.latest
    changed = {key for key, each in now.items() if _is_news(first.latest.get(key), each)}
    if not changed:
        raise NotShown(_NOTHING.format("added or changed"))
    missed = {key for key in changed if _is_missed(aftermath.contents, now[key])}
    _refuse_backwards(first, now, missed)
    if missed:
        raise Fault(
            "late_rows",
            f"{len(missed)} of {len(changed)} records that were added or changed did not come by reading "
            "changes: they were committed later than `changes.overlap` after the time that they state; raise "
            "the overlap, or read in full now and then",
        )
    return f"{len(changed)} records that were added or changed meanwhile came with the next reading"


def departures(subject: Subject, aftermath: Aftermath) -> str:
    """What is no longer in the source no longer lives in the hub."""
    first, now = subject.known(), aftermath.everything.latest
    if not first.complete:
        raise NotShown("the stream was not read to its end; raise --limit-pages")
    gone = {key for key, each in first.latest.items() if each.lives} - _living(now.values())
    if not gone:
        raise NotShown(_NOTHING.format("deleted"))
    if staying := gone & aftermath.contents.rows.keys():
        advice = (
            "ask the agency to state deletions, or find them by `deletes: {kind: absence}` in full readings"
            if subject.spec.deletes
            else "write `deletes`: how the source tells them, or {kind: absence}"
        )
        raise Fault(
            "silent_deletes",
            f"{len(staying)} of {len(gone)} records that are gone from the source still live in the hub: no "
            f"deletion was stated; {advice}",
        )
    return f"{len(gone)} records that were deleted meanwhile went from the hub"


def _is_news(before: Stated | None, now: Stated) -> bool:
    return before is None or before.content != now.content


def _is_missed(contents: Contents, now: Stated) -> bool:
    known = contents.states.get(now.key or "")
    return (
        now.at is not None and now.key not in contents.aside and (known is None or known.stated_at != now.at)
    )


def _refuse_backwards(first: Read, now: dict[str, Stated], missed: Collection[str]) -> None:
    back = [
        key
        for key in missed
        if (before := first.latest.get(key)) and before.at and (after := now[key].at) and after < before.at
    ]
    if back:
        raise Fault(
            "backwards_clock",
            f"{len(back)} records changed and state an earlier time than before: the hub keeps the later "
            "statement, so these changes are lost; ask the agency to state the time of commit by one clock",
        )


def _living(stated: Collection[Stated]) -> set[str]:
    return {each.key for each in stated if each.lives and each.key}
