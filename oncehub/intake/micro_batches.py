"""Pages that land together: a transaction costs nearly the same for a small page as for a large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oncehub.connect import Page, ResumeToken
from oncehub.errors import OncehubError


@dataclass(frozen=True)
class Size:
    """How much lands in one transaction; a kill loses, and repeats, no more than that.

    Attributes:
        records: enough of them end a portion.
        pages: so do so many pages, as each may have taken long to come.
    """

    records: int = 5_000
    pages: int = 20


@dataclass
class Portion:
    """Pages in a row that land together.

    Attributes:
        first: the page it begins with.
        last: the page it ends with: what is said of the whole read, and where it goes on.
        records: of all of them, in their order.
        pages: how many they are.
    """

    first: Page
    last: Page
    records: list[Any]
    pages: int = 1

    @property
    def next(self) -> ResumeToken | None:
        """Where the read goes on after this portion."""
        return self.last.next

    def takes(self, page: Page) -> bool:
        """Whether the page may join: not deletions and records, nor a snapshot and what changed since."""
        alike = (page.kind, page.of_snapshot) == (self.last.kind, self.last.of_snapshot)
        # A page 1 begins the read anew; what was remembered of it so far must go first.
        return alike and page.number != 1

    def add(self, page: Page) -> None:
        """Join a page to the end."""
        self.records += page.records
        self.last = page
        self.pages += 1


def portions(pages: Iterator[Page], size: Size) -> Iterator[Portion]:
    """Join pages that follow each other until they are enough.

    What came before a failure is given before the failure is told.
    """
    portion: Portion | None = None
    try:
        for page in pages:
            if portion and portion.takes(page):
                portion.add(page)
            else:
                if portion:
                    yield portion
                portion = Portion(page, page, list(page.records))
            if len(portion.records) >= size.records or portion.pages >= size.pages:
                yield portion
                portion = None
    except OncehubError:
        if portion:
            yield portion
        raise
    if portion:
        yield portion
