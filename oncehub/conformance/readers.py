"""Readers of a source for the suite: recording and limiting pages, or replaying them from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, cast

from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.intake.sync import Opener

Resume = ResumeToken | Mapping[str, Any]
"""A resume token, or what was stored of one."""


class Readable(Protocol):
    """An object that is read like an open source."""

    def pages(self, stream: str, window: Window, resume: Resume | None = None) -> Iterator[Page]:
        """Read a stream; see `Source.pages`."""


@dataclass
class LimitedReader:
    """Reads the first pages of a source, and records them.

    Attributes:
        most: maximum number of pages of a read; the rest is not read.
        passed: pages of the last read that started from the beginning.
        cut: whether pages were left unread.
    """

    source: Readable
    most: int
    passed: list[Page] = field(default_factory=list)
    cut: bool = False

    def pages(self, stream: str, window: Window, resume: Resume | None = None) -> Iterator[Page]:
        """Read a stream as if it ended after `most` pages."""
        with closing(cast("Closable", self.source.pages(stream, window, resume))) as pages:
            for page in pages:
                shown = page
                if page.number >= self.most and page.next is not None:
                    self.cut, shown = True, replace(page, next=None)
                if page.number == 1:
                    self.passed.clear()
                self.passed.append(shown)
                yield shown
                if shown.next is None:
                    return


class Closable(Iterator[Page], Protocol):
    """An iterator of pages that can be closed before its end."""

    def close(self) -> None:
        """Stop reading."""


@dataclass(frozen=True)
class ReplayedPages:
    """Yields pages that were read before, for any stream and window."""

    known: Sequence[Page]

    def pages(self, stream: str, window: Window, resume: Resume | None = None) -> Iterator[Page]:  # noqa: ARG002
        """Yield the pages, or those after `resume`."""
        begin = 0
        if resume is not None:
            token = ResumeToken.load(resume, "recording", stream)
            begin = 1 + next(index for index, page in enumerate(self.known) if page.next == token)
        yield from self.known[begin:]


def single_page(records: list[object], kind: Literal["records", "deletions"] = "records") -> ReplayedPages:
    """Return a read of one page."""
    return ReplayedPages([Page(records, None, 1, None, kind)])


def opener_of(readable: Readable) -> Opener:
    """Return an opener by which `sync` reads from an object other than a network source."""
    return opener_from(lambda: nullcontext(readable))


def opener_from(make: Callable[[], AbstractContextManager[Readable]]) -> Opener:
    """Return an opener by which `sync` opens and closes an object other than a network source."""

    def open_it(*_: object) -> AbstractContextManager[Source]:
        # Reading uses only the `pages` of a source.
        return cast(AbstractContextManager[Source], make())

    return open_it
