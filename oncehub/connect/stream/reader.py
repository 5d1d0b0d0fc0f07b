"""Stream reader: reads one stream in phases (its snapshot, changes since, deletions), or its records at once.

No change is lost between a snapshot and the changes replayed after it, although the snapshot may have been
made hours before it is read, as a nightly dump is: changes are asked for from the snapshot's high-water
mark (the latest time or sequence that it shows), less `overlap`. Records of a snapshot that is made while it
is read may show later times than its watermark (the sequence, or the end of the window, from before it
began); those do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from oncehub.config.connector import (
    AbsenceDeletes,
    SequenceChanges,
    TimeChanges,
    TokenChanges,
    TombstoneDeletes,
    TombstoneStream,
    Updated,
)
from oncehub.connect.formats import is_marked
from oncehub.connect.formats.paths import with_field
from oncehub.connect.page import Page
from oncehub.connect.pagination.listing import Listing
from oncehub.connect.resume_token import ResumeToken, StreamPosition
from oncehub.connect.stream.high_water_mark import latest, marks
from oncehub.connect.stream.listing_reader import ListingReader
from oncehub.connect.stream.window import Bound, Window, rendered_time, window_parameters

_A_DAY = timedelta(days=1)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


class StreamReader:
    """Reads one stream, phase by phase.

    Attributes:
        name: `source.stream`.
        spec: the stream.
    """

    def __init__(self, source: ListingReader, stream: str, clock: Clock, *, as_parents: bool = False) -> None:
        """Prepare to read.

        Args:
            source: reads its listings.
            stream: its name.
            clock: the present, up to which changes are replayed.
            as_parents: leaves out deletions, and reads everything up to the present. A record that changes
                while it is listed leaves a bounded listing, whose total shrinks, and is in the next one.
        """
        self.name = f"{source.connector.source}.{stream}"
        self.spec = source.connector.streams[stream]
        self._source = source
        self._clock = clock
        self._as_parents = as_parents

    def pages(self, window: Window, resume: ResumeToken | None) -> Generator[Page]:
        """Read every phase, or the rest from `resume` on; see `Source.pages`."""
        position: StreamPosition | None
        if resume is None or resume.stream is None:
            position, listed_from = self._begin(window), None
        else:
            position, listed_from = resume.stream, resume.page
        while position is not None:
            following: StreamPosition | None = position
            for page in self._source.pages(self._listing(position), listed_from):
                position = self._counted(position, page)
                following = self._next_phase(position, page) if page.next is None else position
                yield self._shown(position, page, following)
            position, listed_from = following, None

    def _begin(self, window: Window) -> StreamPosition:
        changes, snapshot = self.spec.changes, self.spec.snapshot
        until = window.until
        if until is None and isinstance(changes, TimeChanges) and (snapshot or self._to_the_present(window)):
            until = self._clock() - changes.skew
        if snapshot is None or window.since is not None:
            return StreamPosition("records", window.since, until, token=window.token)
        place = snapshot.watermark
        watermark = None if place is None else self._source.watermark(self.name, place)
        return StreamPosition("snapshot", None, until, watermark=watermark)

    def _to_the_present(self, window: Window) -> bool:
        return self._as_parents and window == Window(None, None)

    def _counted(self, position: StreamPosition, page: Page) -> StreamPosition:
        anew = page.number == 1
        count = len(page.records) + (0 if anew else position.phase_records)
        position = replace(position, phase_records=count)
        if position.phase != "snapshot":
            return position
        bound = position.until if position.watermark is None else position.watermark
        shown = [latest(page.records, self.spec, bound), None if anew else position.high_water_mark]
        return replace(
            position, high_water_mark=max((mark for mark in shown if mark is not None), default=None)
        )

    def _next_phase(self, position: StreamPosition, page: Page) -> StreamPosition | None:
        behind = StreamPosition(
            "deletions", pages=position.pages + page.number, records=position.records + position.phase_records
        )
        match position.phase:
            case "snapshot":
                since, until = self._replay(position)
                return replace(behind, phase="changes", since=since, until=until)
            case "records" | "changes" if self._as_parents:
                open_ended = position.until is not None and (
                    position.since is None or position.phase == "changes"
                )
                return replace(behind, phase="rest", since=position.until) if open_ended else None
            case "records" | "changes" if isinstance(self.spec.deletes, TombstoneStream):
                since = position.since if position.phase == "records" else None
                return replace(behind, since=since, until=position.until)
            case _:
                return None

    def _replay(self, position: StreamPosition) -> tuple[Bound, Bound]:
        """The bounds of what changed since the snapshot was made."""
        changes, high = self.spec.changes, position.high_water_mark
        if isinstance(changes, SequenceChanges):
            if high is None:
                # Neither records without numbers nor an empty snapshot show when it was made.
                high = position.watermark if position.phase_records else 0
            return max(0, cast(int, high) - changes.overlap), None
        assert isinstance(changes, TimeChanges)
        until = max(cast(datetime, position.until), self._clock() - changes.skew)
        return (None if high is None else cast(datetime, high) - changes.overlap), until

    def _listing(self, position: StreamPosition) -> Listing:
        host = self._source.connection.host
        if position.phase == "snapshot":
            assert self.spec.snapshot is not None
            snapshot = self.spec.snapshot
            return Listing(
                f"{self.name} snapshot",
                *(host, snapshot.read, snapshot.pages, {}),
                updated=self.spec.updated,
                key=self.spec.key,
                whole=self._whole,
            )
        window = Window(position.since, position.until, position.token)
        updated, changes = self.spec.updated, self.spec.changes
        parameters = window_parameters(window, self.name, self.spec)
        if position.phase == "deletions":
            deletes = cast(TombstoneStream, self.spec.deletes)
            return Listing(
                f"{self.name} deletions",
                *(host, deletes.read, deletes.pages, parameters),
                window=window,
                updated=deletes.updated or updated,
                key=deletes.key or self.spec.key,
                mark=self._mark(deletes.updated or updated),
            )
        return Listing(
            self.name,
            *(host, self.spec.read, self.spec.pages, parameters),
            window=window,
            updated=updated,
            key=self.spec.key,
            mark=self._mark(updated),
            whole=self._whole,
            changes=changes if isinstance(changes, TokenChanges) else None,
        )

    def _unheeded(self, since: Bound, records: list[Any]) -> Iterator[str]:
        """Remark on records stated long before `since`, which a form of times may cut to its day."""
        bound: Any = since - _A_DAY if isinstance(since, datetime) else since
        earliest: Any = min(marks(records, self.spec), default=None)
        if earliest is not None and earliest < bound:
            yield "it gives records stated before what was asked for: it may not heed since; check `changes`"

    def _dated(self, record: Any) -> Any:
        """Give a record that states only its deletion the present time."""
        deletes, updated = self.spec.deletes, self.spec.updated
        assert isinstance(deletes, TombstoneDeletes)
        if not isinstance(record, dict) or not is_marked(record, deletes.field, deletes.equals):
            return record
        text = rendered_time(self._clock(), updated)
        return with_field(record, updated.field, int(text) if updated.format in {"unix", "unix_ms"} else text)

    def _mark(self, updated: Updated) -> str:
        changes = self.spec.changes
        return changes.field if isinstance(changes, SequenceChanges) else updated.field

    @property
    def _whole(self) -> bool:
        return isinstance(self.spec.deletes, AbsenceDeletes)

    def _shown(self, position: StreamPosition, page: Page, following: StreamPosition | None) -> Page:
        listed = page.next.page if page.next else None
        changed: dict[str, Any] = {
            "next": None if following is None else ResumeToken(listed, following),
            "number": position.pages + page.number,
            "total": None if page.total is None else position.records + page.total,
            "kind": "deletions" if position.phase == "deletions" else "records",
        }
        if position.since is not None and position.phase == "records":
            changed["remarks"] = (*page.remarks, *self._unheeded(position.since, page.records))
        if isinstance(self.spec.deletes, TombstoneDeletes) and self.spec.deletes.stated == "received":
            changed["records"] = [self._dated(record) for record in page.records]
        if position.phase == "snapshot":
            changed |= {"watermark": position.watermark, "of_snapshot": True}
        return replace(page, **changed)
