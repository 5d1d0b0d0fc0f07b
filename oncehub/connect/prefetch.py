"""Fetches the next page while the caller works on this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from oncehub.connect.page import Page


class ReadingStopped(Exception):
    """The caller gave up reading while a fetch was waiting; never leaves this package."""


def stoppable_pause(stop: Event, seconds: float) -> None:
    """Sleep.

    Raises:
        ReadingStopped: as soon as `stop` is set.
    """
    if stop.wait(seconds):
        raise ReadingStopped


def prefetched(pages: Iterator[Page], stop: Event) -> Iterator[Page]:
    """Yield `pages` in order, one fetched ahead in a thread of its own.

    An error comes after the pages before it. The thread ends with this iterator, at latest when a request
    under way is answered or times out; `stop` is set then.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="oncehub-fetch") as thread:
        try:
            coming = thread.submit(next, pages, None)
            while (page := coming.result()) is not None:
                coming = thread.submit(next, pages, None)
                yield page
        finally:
            stop.set()
