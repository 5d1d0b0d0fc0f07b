"""Pagination by page number or by offset."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

import requests

from oncehub.config.reading import NumberPages, OffsetPages
from oncehub.connect.formats import Content
from oncehub.connect.pagination.listing import Fetch, Listing, Paginator, check_total
from oncehub.connect.resume_token import OffsetPosition, PagePosition
from oncehub.errors import ContractBroken

_MOST_STEPS_BACK = 100
"""Steps back without getting any further."""

_MOST_RESTARTS = 10
"""Times that a listing from which records left is read again, before its total counts as untrue."""


class OffsetPaginator(Paginator):
    """Page numbers from 0 or 1, or offsets from 0.

    Records that leave the selection while it is read pull those behind them forward, past the reader. A total
    that shrinks between two pages shows it, and the reader steps back by as much. A reader of another process
    fetches the page before its own again, and begins anew when that has changed.
    """

    def __init__(self, listing: Listing, pages: NumberPages | OffsetPages) -> None:
        super().__init__(listing)
        self._first = pages.first if isinstance(pages, NumberPages) else 0
        self._numbered = isinstance(pages, NumberPages)

    def request(self, position: PagePosition) -> requests.Request:
        """The page at the position's offset, counted from 0."""
        return self._request(position.offset.at)

    def _request(self, at: int) -> requests.Request:
        return self._listing.request({"page" if self._numbered else "offset": self._first + at})

    def rejoined(self, position: PagePosition, fetch: Fetch) -> PagePosition | None:
        """The position with the total of now, if the page before it has not changed."""
        offset = position.offset
        page = None if offset.before_at is None else fetch(self._request(offset.before_at))
        if page is None or _digest(page) != offset.before_digest:
            return None
        return position if page.total is None else replace(position, total=page.total)

    def after(self, position: PagePosition, page: Content) -> PagePosition | None:
        """The next offset, or one further back when the total has shrunk."""
        offset, total, count = position.offset, page.total, page.listed
        at, read = offset.at, position.read + count
        if at and total is not None and position.total is not None and position.total > total:
            return self._stepped_back(position, page.what, position.total - total, total)
        if self._is_last(position, page):
            left = offset.furthest is not None and total is not None and read < total
            if left and offset.restarts < _MOST_RESTARTS:
                # Records left and others joined; the total does not tell how many, so read all again.
                again = replace(offset, at=0, restarts=offset.restarts + 1)
                return replace(position, read=0, total=total, offset=again)
            check_total(page.what, total, read)
            return None
        self._check_progress(position, page)
        following = replace(
            offset,
            at=at + (1 if self._numbered else count),
            # A full page may hold fewer records than were asked for.
            page_size=offset.page_size if at else count,
            before_at=at,
            before_digest=_digest(page),
        )
        return replace(position, read=read, total=total, offset=following)

    def shows_end(self, position: PagePosition, page: Content) -> bool:
        """Whether a total that just fills the first page is not the only sign."""
        filled = self._listing.is_filled_by(page) and page.total == page.listed
        return bool(position.offset.at or page.more is not None or not filled)

    def prove_end(self, page: Content, fetch: Fetch) -> None:
        """Ask for the next page: a total that counts only the records of one page hides those after it."""
        behind = fetch(self._request(1 if self._numbered else page.listed))
        if behind.listed and (behind.total or 0) <= (page.total or 0):
            raise ContractBroken(
                f"{page.what}: declares {page.total} records in all, but more follow on the next page; check"
                " `total` in its connector.yaml"
            )

    def _is_last(self, position: PagePosition, page: Content) -> bool:
        if page.more is not None:
            return not page.more
        # A total that shrank once may fall below what is there, so it no longer ends the listing.
        if page.total is not None and position.offset.furthest is None:
            read = position.read + page.listed
            # A full page beyond the total shows that the total is untrue, so more may follow.
            return not page.listed or (
                read >= page.total and not (read > page.total and self._listing.is_filled_by(page))
            )
        return not page.listed

    def _check_progress(self, position: PagePosition, page: Content) -> None:
        """Refuse a page that comes again: a source that ignores the offset would give it for ever."""
        grown = (page.total or 0) - (position.total or 0)
        again = position.offset.before_digest == _digest(page) and grown < max(1, page.listed)
        if again or not (page.listed or self._numbered):
            raise ContractBroken(f"{page.what}: is the same as the page before it")

    def _stepped_back(self, position: PagePosition, what: str, gone: int, total: int) -> PagePosition:
        """Go back before the page whose total shrank: as many records may have slipped past its start."""
        offset = position.offset
        at, size = offset.at, offset.page_size
        furthest = max(at, offset.furthest or 0)
        steps_back = 1 + (offset.steps_back if furthest == offset.furthest else 0)
        if steps_back > _MOST_STEPS_BACK:
            raise ContractBroken(
                f"{what}: the declared total falls with every page, so no position can be kept"
            )
        if not self._numbered:
            at = read = max(0, at - gone)
        elif size and position.read == at * size:
            at = max(0, at - math.ceil(gone / size))
            read = at * size
        else:
            # How many records lie before a page is known only where pages are of one size.
            at = read = 0
        back = OffsetPosition(at, size, furthest=furthest, steps_back=steps_back, restarts=offset.restarts)
        return replace(position, read=read, total=total, offset=back)


def _digest(page: Content) -> str:
    """Identify a page by the first and last item it lists; a digest, for they hold personal data."""
    ends: list[Any] = [page.items[0], page.items[-1]] if page.items else []
    return hashlib.blake2b(repr((page.listed, ends)).encode(), digest_size=16).hexdigest()
