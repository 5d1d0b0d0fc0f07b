"""Reading one stream in phases: its snapshot, what changed since, what was deleted; or its records at once.

Nothing falls between a snapshot and the changes replayed after it, though the snapshot may have been made
hours before it is read, as a nightly dump is: changes are asked for from the latest statement that it shows,
less `overlap`. Of a snapshot that is made while it is read, records may show later statements than its
watermark (the sequence, or the end of the window, from before it began); those do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

from oncehub.config.connector import AbsenceDeletes, SequenceChanges, TimeChanges, TombstoneStream
from oncehub.connect.page import Page, PageState
from oncehub.connect.pagination.listing import Listing
from oncehub.connect.stream.high_water_mark import latest
from oncehub.connect.stream.listing_reader import ListingReader
from oncehub.connect.stream.window import Bound, Window, window_parameters

Clock = Callable[[], datetime]
Phase = Literal["snapshot", "changes", "records", "rest", "deletions"]


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Progress:
    """How far a read is.

    Attributes:
        since, until: what the phase asks for.
        pages, records: of the phases before.
        here: records of this phase.
        high: latest statement that the snapshot shows, as far as it counts.
        watermark: the sequence before the snapshot began.
        page: where to go on within the phase.
    """

    phase: Phase
    since: Bound = None
    until: Bound = None
    pages: int = 0
    records: int = 0
    here: int = 0
    high: Bound = None
    watermark: int | None = None
    page: PageState | None = None

    def state(self) -> PageState:
        """Write it down."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def of(cls, state: PageState) -> Progress:
        """Read what `state` wrote."""
        bounds = {
            name: datetime.fromisoformat(state[name])
            for name in ("since", "until", "high")
            if isinstance(state[name], str)
        }
        return cls(**{**state, **bounds})


class StreamReader:
    """The phases of one stream.

    Attributes:
        name: `source.stream`.
        spec: the stream.
    """

    def __init__(self, source: ListingReader, stream: str, clock: Clock, *, as_parents: bool = False) -> None:
        """Prepare to read.

        Args:
            source: to be asked.
            stream: its name.
            clock: tells how far a replay of changes may go.
            as_parents: leaves out what was deleted, and reads everything up to the present. A record that
                moves while it is listed leaves a bounded listing, which tells so, and stands in the next one.
        """
        self.name = f"{source.connector.source}.{stream}"
        self.spec = source.connector.streams[stream]
        self._source = source
        self._clock = clock
        self._as_parents = as_parents

    def pages(self, window: Window, resume: PageState | None) -> Generator[Page]:
        """Read every phase, or the rest behind `resume`; see `Source.pages`."""
        progress: Progress | None = self._begun(window) if resume is None else Progress.of(resume)
        while progress is not None:
            following: Progress | None = progress
            for page in self._source.pages(self._listing(progress), progress.page):
                progress = self._counted(progress, page)
                following = self._next_phase(progress, page) if page.next is None else progress
                yield self._shown(progress, page, following)
            progress = following

    def _begun(self, window: Window) -> Progress:
        changes, snapshot = self.spec.changes, self.spec.snapshot
        until = window.until
        if until is None and isinstance(changes, TimeChanges) and (snapshot or self._to_the_present(window)):
            until = self._clock() - changes.skew
        if snapshot is None or window.since is not None:
            return Progress("records", window.since, until)
        place = snapshot.watermark
        watermark = None if place is None else self._source.watermark(self.name, place)
        return Progress("snapshot", None, until, watermark=watermark)

    def _to_the_present(self, window: Window) -> bool:
        return self._as_parents and window == Window(None, None)

    def _counted(self, progress: Progress, page: Page) -> Progress:
        anew = page.number == 1
        here = len(page.records) + (0 if anew else progress.here)
        progress = replace(progress, here=here, page=page.next)
        if progress.phase != "snapshot":
            return progress
        bound = progress.until if progress.watermark is None else progress.watermark
        shown = [latest(page.records, self.spec, bound), None if anew else progress.high]
        return replace(progress, high=max((mark for mark in shown if mark is not None), default=None))

    def _next_phase(self, progress: Progress, page: Page) -> Progress | None:
        behind = Progress(
            "deletions", pages=progress.pages + page.number, records=progress.records + progress.here
        )
        match progress.phase:
            case "snapshot":
                since, until = self._replay(progress)
                return replace(behind, phase="changes", since=since, until=until)
            case "records" | "changes" if self._as_parents:
                open_ended = progress.until is not None and (
                    progress.since is None or progress.phase == "changes"
                )
                return replace(behind, phase="rest", since=progress.until) if open_ended else None
            case "records" | "changes" if isinstance(self.spec.deletes, TombstoneStream):
                since = progress.since if progress.phase == "records" else None
                return replace(behind, since=since, until=progress.until)
            case _:
                return None

    def _replay(self, progress: Progress) -> tuple[Bound, Bound]:
        """What changed since the snapshot was made."""
        changes, high = self.spec.changes, progress.high
        if isinstance(changes, SequenceChanges):
            if high is None:
                # Records without numbers say nothing of when the snapshot was made, and none at all nothing.
                high = progress.watermark if progress.here else 0
            return max(0, cast(int, high) - changes.overlap), None
        assert isinstance(changes, TimeChanges)
        until = max(cast(datetime, progress.until), self._clock() - changes.skew)
        return (None if high is None else cast(datetime, high) - changes.overlap), until

    def _listing(self, progress: Progress) -> Listing:
        host = self._source.connection.host
        if progress.phase == "snapshot":
            assert self.spec.snapshot is not None
            snapshot = self.spec.snapshot
            return Listing(
                f"{self.name} snapshot", host, snapshot.read, snapshot.pages, {}, whole=self._whole
            )
        parameters = window_parameters(Window(progress.since, progress.until), self.name, self.spec)
        if progress.phase == "deletions":
            deletes = cast(TombstoneStream, self.spec.deletes)
            return Listing(f"{self.name} deletions", host, deletes.read, deletes.pages, parameters)
        return Listing(self.name, host, self.spec.read, self.spec.pages, parameters, whole=self._whole)

    @property
    def _whole(self) -> bool:
        return isinstance(self.spec.deletes, AbsenceDeletes)

    def _shown(self, progress: Progress, page: Page, following: Progress | None) -> Page:
        changed: dict[str, Any] = {
            "next": None if following is None else following.state(),
            "number": progress.pages + page.number,
            "total": None if page.total is None else progress.records + page.total,
            "kind": "deletions" if progress.phase == "deletions" else "records",
        }
        if progress.phase == "snapshot":
            changed |= {"watermark": progress.watermark, "of_snapshot": True}
        return replace(page, **changed)
