"""Micro-batches: pages that land in one transaction, which costs nearly the same for few records or many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.errors import OncehubError


@dataclass(frozen=True)
class Size:
    """How much lands in one transaction, which is also the most that an interruption repeats.

    Attributes:
        records: so many records end a micro-batch.
        pages: so many pages end one, as each may have taken long to arrive.
        bytes: so many bytes (`Page.size`) end one, so that memory does not grow with its pages.
    """

    records: int = 5_000
    pages: int = 20
    bytes: int = 8 * 1024 * 1024


@dataclass
class MicroBatch:
    """Consecutive pages that land together.

    Attributes:
        first: the first page.
        last: the last page, which has the totals of the whole read and the state of the next page.
        records: of all its pages, in order.
        pages: the number of pages.
        size: of its pages together.
    """

    first: Page
    last: Page
    records: list[Any]
    pages: int = 1
    size: int = 0

    @property
    def next(self) -> ResumeToken | None:
        """The state of the page after this micro-batch."""
        return self.last.next

    def takes(self, page: Page) -> bool:
        """Whether the page may join: deletions never join records, nor changes a snapshot."""
        alike = (page.kind, page.of_snapshot) == (self.last.kind, self.last.of_snapshot)
        # A page 1 restarts the read; the seen keys of the read so far must be dropped first.
        return alike and page.number != 1

    def fills(self, size: Size) -> bool:
        """Whether it is to land without further pages."""
        return len(self.records) >= size.records or self.pages >= size.pages or self.size >= size.bytes

    def add(self, page: Page) -> None:
        """Append a page."""
        self.records += page.records
        self.last = page
        self.pages += 1
        self.size += page.size


def micro_batches(pages: Iterator[Page], size: Size) -> Iterator[MicroBatch]:
    """Join consecutive pages into micro-batches; yield the pages before a failure, then raise it."""
    micro_batch: MicroBatch | None = None
    try:
        for page in pages:
            if micro_batch and micro_batch.takes(page):
                micro_batch.add(page)
            else:
                if micro_batch:
                    yield micro_batch
                micro_batch = MicroBatch(page, page, list(page.records), size=page.size)
            if micro_batch.fills(size):
                yield micro_batch
                micro_batch = None
    except OncehubError:
        if micro_batch:
            yield micro_batch
        raise
    if micro_batch:
        yield micro_batch
