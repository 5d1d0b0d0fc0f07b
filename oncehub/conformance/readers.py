"""Readings of a source as the suite sees them: noted, cut short, or played again from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.intake.sync import Opener

Resume = ResumeToken | Mapping[str, Any]
"""A resume token, or what was stored of one."""


class Readable(Protocol):
    """What can be read like an open source."""

    def pages(self, stream: str, window: Window, resume: Resume | None = None) -> Iterator[Page]:
        """Read a stream; see `Source.pages`."""


@dataclass
class LimitedReader:
    """A source of which the first pages are read, and noted as they pass.

    Attributes:
        most: pages of a read; whatever follows is left unread.
        passed: pages so far, of the last read that began anew.
        cut: whether anything was left unread.
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
    """Pages that may be given up before their end."""

    def close(self) -> None:
        """Give up."""


@dataclass(frozen=True)
class ReplayedPages:
    """Pages that were read before, whatever is asked for."""

    known: Sequence[Page]

    def pages(self, stream: str, window: Window, resume: Resume | None = None) -> Iterator[Page]:  # noqa: ARG002
        """Give the pages, or those behind `resume`."""
        begin = 0
        if resume is not None:
            token = ResumeToken.load(resume, "recording", stream)
            begin = 1 + next(index for index, page in enumerate(self.known) if page.next == token)
        yield from self.known[begin:]


def single_page(records: list[object], kind: str = "records") -> ReplayedPages:
    """A read of one page."""
    page = Page(records, None, 1, None)
    return ReplayedPages([replace(page, kind="deletions") if kind == "deletions" else page])


def opener_of(readable: Readable) -> Opener:
    """Let `sync` read from something that is no network source."""
    return opener_from(lambda: _nothing_to_close(readable))


def opener_from(make: Callable[[], AbstractContextManager[Readable]]) -> Opener:
    """Let `sync` open something that is no network source, and close it."""

    def open_it(*_: object) -> AbstractContextManager[Source]:
        # All that a reading asks of a source is its pages.
        return cast(AbstractContextManager[Source], make())

    return open_it


@contextmanager
def _nothing_to_close(readable: Readable) -> Iterator[Readable]:
    yield readable
