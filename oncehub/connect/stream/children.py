"""Child streams: for each record of a parent stream, reads the records that belong to it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from oncehub.config.connector import (
    AbsenceDeletes,
    FlagDeletes,
    Parent,
    SequenceChanges,
    Stream,
    TombstoneDeletes,
)
from oncehub.connect.formats import SLICE_BYTES, is_marked
from oncehub.connect.formats.paths import as_one
from oncehub.connect.formats.unreadable import is_text
from oncehub.connect.page import Page
from oncehub.connect.pagination.listing import Listing
from oncehub.connect.pagination.paginators import Gone
from oncehub.connect.resume_token import (
    ChildrenPosition,
    FilePosition,
    PagePosition,
    ResumeToken,
    TablePosition,
)
from oncehub.connect.stream.high_water_mark import latest
from oncehub.connect.stream.listing_reader import ListingReader
from oncehub.connect.stream.prefetch import first_pages_ahead
from oncehub.connect.stream.reader import Clock, StreamReader
from oncehub.connect.stream.window import Window, window_parameters
from oncehub.errors import ContractBroken

logger = logging.getLogger(__name__)

RECORDS, RESPONSES = 1000, 100
"""Responses about single parents are gathered into a page of so many records, or of so many responses.

A hundred responses take a hundred requests, so some seconds: what a killed run repeats.
"""

Family = dict[str, Any]
"""Fields of a parent that its children are requested with, by the names of `take`."""


@dataclass
class _Gathered:
    """What was read since the page before."""

    number: int
    records: list[Any] = field(default_factory=list)
    responses: int = 0
    size: int = 0

    def add(self, records: list[Any], size: int) -> None:
        self.records += records
        self.responses += 1
        self.size += size

    def is_full(self) -> bool:
        return len(self.records) >= RECORDS or self.responses >= RESPONSES or self.size >= SLICE_BYTES

    def page(self, following: ResumeToken | None, watermark: int | None) -> Page:
        """Give it away as one page."""
        page = Page(self.records, following, self.number, None, watermark=watermark, size=self.size)
        self.number, self.records, self.responses, self.size = self.number + 1, [], 0, 0
        return page


class ChildReader:
    """The children of one stream's records.

    A read continues where it stopped if the page of parents is the same up to there; else the page's parents
    are asked again, so that children arrive twice rather than never. A parent that is gone by the time
    it is asked (404 or 410) has no children; one marked deleted is not asked.
    """

    def __init__(self, source: ListingReader, stream: str, parent: Parent, clock: Clock) -> None:
        self._source = source
        self._name = f"{source.connector.source}.{stream}"
        self._spec = source.connector.streams[stream]
        self._parent = parent
        self._parents = StreamReader(source, parent.stream, clock, as_parents=True)
        self._asked, self._gone, self._unfit = 0, 0, 0

    def pages(self, window: Window, resume: ResumeToken | None) -> Generator[Page]:
        """Read the children of every parent, or the rest from `resume` on; see `Source.pages`."""
        with _pool(self._source.requester.limits.concurrency) as pool:
            yield from self._gathered(window, resume, pool)
        logger.info(
            "%s: %d parents asked, of which %d were gone; %d could not be asked",
            *(self._name, self._asked, self._gone, self._unfit),
        )

    def _gathered(
        self, window: Window, resume: ResumeToken | None, pool: ThreadPoolExecutor
    ) -> Iterator[Page]:
        position = resume.children if resume else None
        gathered = _Gathered(position.number if position else 1)
        watermark: int | None = None
        asked = window if self._parent.of == "changed" else Window(None, None)
        # The token that the current page of parents was read from.
        before = replace(resume, children=None) if resume and resume.stream else None
        window = Window(None, None) if self._parent.of == "changed" else window
        parameters = window_parameters(window, self._name, self._spec)
        for parents in self._parents.pages(asked, before):
            if parents.number == 1 and before is not None:
                before, position, gathered.number = None, None, 1
            watermark = _higher(watermark, self._highest(parents))
            families = self._families(parents)
            begin, child_page = _taken_up(families, position)
            listed = self._listed(families, parents.number, (window, parameters), begin, child_page)
            for records, size, index, following in self._children(families, begin, listed, pool):
                gathered.add(records, size)
                if gathered.is_full():
                    number = gathered.number + 1
                    token = _token(parents, families, before, ChildrenPosition(number, index, "", following))
                    yield gathered.page(token, watermark)
            position, before = None, parents.next
        yield gathered.page(None, watermark)

    def _listed(
        self,
        families: list[Family],
        number: int,
        selected: tuple[Window, dict[str, str]],
        begin: int,
        child_page: PagePosition | None,
    ) -> Iterator[Iterator[Page]]:
        """Yield each family's children, unread; those of the first from `child_page` on."""
        host, spec = self._source.connection.host, self._spec
        window, parameters = selected
        for index in range(begin, len(families)):
            name = f"{self._name} of parent {index + 1} on page {number}"
            values = {key: str(value) for key, value in families[index].items()}
            listing = Listing(
                name,
                *(host, spec.read, spec.pages, parameters, values),
                window=window,
                updated=spec.updated,
                may_be_gone=True,
            )
            yield self._alive(listing, child_page if index == begin else None)

    def _children(
        self,
        families: list[Family],
        begin: int,
        listed: Iterator[Iterator[Page]],
        pool: ThreadPoolExecutor,
    ) -> Iterator[tuple[list[Any], int, int, PagePosition | None]]:
        """Yield children, their bytes, the family to continue with, and the page of its children."""
        ahead = first_pages_ahead(listed, pool, self._source.requester.limits.concurrency)
        for index, pages in enumerate(ahead, begin):
            self._asked += 1
            came = False
            for page in pages:
                came = True
                records = [_adopted(record, families[index]) for record in page.records]
                following = page.next.page if page.next else None
                assert not isinstance(following, FilePosition | TablePosition)
                yield records, page.size, index + (following is None), following
            if not came:
                self._gone += 1
                yield [], 0, index + 1, None

    def _alive(self, listing: Listing, child_page: PagePosition | None) -> Iterator[Page]:
        try:
            yield from self._source.pages(listing, child_page)
        except Gone:
            return

    def _families(self, parents: Page) -> list[Family]:
        families = []
        for record in parents.records:
            if _deleted(record, self._parents.spec):
                continue
            family = {name: as_one(record, path) for name, path in self._parent.take.items()}
            if all(_can_be_asked_with(value) for value in family.values()):
                families.append(family)
            elif isinstance(self._spec.deletes, AbsenceDeletes):
                # Its children would count as absent, which they may not be.
                raise ContractBroken(f"{self._name}: a parent lacks what `parent.take` names")
            else:
                self._unfit += 1
        return families

    def _highest(self, parents: Page) -> int | None:
        spec = self._parents.spec
        if self._parent.of == "all" or not isinstance(spec.changes, SequenceChanges):
            return None
        if parents.watermark is not None:
            return parents.watermark
        highest = latest(parents.records, spec, None)
        return highest if isinstance(highest, int) else None


def _token(
    parents: Page, families: list[Family], before: ResumeToken | None, position: ChildrenPosition
) -> ResumeToken:
    """Where to continue: on this page of parents, or at the start of the next one."""
    if position.index == len(families) and parents.next is not None:
        return replace(parents.next, children=replace(position, index=0, digest=_digest([])))
    return replace(before or ResumeToken(), children=replace(position, digest=_asked(families, position)))


def _taken_up(families: list[Family], position: ChildrenPosition | None) -> tuple[int, PagePosition | None]:
    if position is None or position.digest != _asked(families, position):
        return 0, None
    return position.index, position.page


def _asked(families: list[Family], position: ChildrenPosition) -> str:
    """Identify the parents asked so far, also the one whose children are being read."""
    return _digest(families[: position.index + (position.page is not None)])


def _digest(families: list[Family]) -> str:
    return hashlib.blake2b(repr(families).encode(), digest_size=16).hexdigest()


def _adopted(record: Any, family: Family) -> Any:
    return {**record, "parent": family} if isinstance(record, dict) else record


def _deleted(record: Any, spec: Stream) -> bool:
    deletes = spec.deletes
    return isinstance(deletes, FlagDeletes | TombstoneDeletes) and is_marked(
        record, deletes.field, deletes.equals
    )


def _can_be_asked_with(value: Any) -> bool:
    # A segment of dots would lead to another path.
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, str) and value not in {"", ".", ".."} and is_text(value))
    )


def _higher(one: int | None, other: int | None) -> int | None:
    return max((mark for mark in (one, other) if mark is not None), default=None)


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="oncehub-children")
    try:
        yield pool
    finally:
        # Its threads may be pausing because the source asked to wait; their pauses are ended only after this.
        pool.shutdown(wait=False, cancel_futures=True)
