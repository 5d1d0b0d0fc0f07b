"""Prefetch: fetches the next page while the caller works on the current one."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
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


def prefetched(pages: Generator[Page], stop: Event) -> Iterator[Page]:
    """Yield `pages` in order, one fetched ahead in a thread of its own.

    An error comes after the pages before it. The thread ends with this iterator, at latest when a request
    under way is answered or times out; `stop` is set then.
    """
    with closing(pages), ThreadPoolExecutor(max_workers=1, thread_name_prefix="oncehub-fetch") as thread:
        try:
            coming = _submitted(thread, pages)
            while (page := coming.result()) is not None:
                coming = _submitted(thread, pages)
                yield page
        finally:
            stop.set()


def first_pages_ahead(
    listings: Iterable[Iterator[Page]], pool: ThreadPoolExecutor, most: int
) -> Iterator[Iterator[Page]]:
    """Yield listings in order, while the first pages of the next `most` are fetched by the pool's threads.

    The caller fetches the rest of a listing by iterating it.
    """
    waiting: deque[tuple[Future[Page | None], Iterator[Page]]] = deque()
    for pages in listings:
        waiting.append((_submitted(pool, pages), pages))
        if len(waiting) > most:
            yield _joined(*waiting.popleft())
    while waiting:
        yield _joined(*waiting.popleft())


def _submitted(pool: ThreadPoolExecutor, pages: Iterator[Page]) -> Future[Page | None]:
    """Fetch the next page in a thread that logs, and is traced, as the run that reads."""
    return pool.submit(copy_context().run, _next, pages)


def _next(pages: Iterator[Page]) -> Page | None:
    return next(pages, None)


def _joined(first: Future[Page | None], rest: Iterator[Page]) -> Iterator[Page]:
    if (page := first.result()) is not None:
        yield page
        yield from rest
