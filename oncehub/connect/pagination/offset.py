"""Pages by number or by offset."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from oncehub.config.reading import NumberPages, OffsetPages
from oncehub.connect.page import PageState
from oncehub.connect.pagination.listing import Listing, Received
from oncehub.connect.pagination.paginators import Fetch, check_total
from oncehub.errors import ContractBroken

_STANDSTILL = 100
"""Steps back without getting any further."""

_ANEW = 10
"""Times that a listing from which records left is read again, before its total counts as untrue."""


class OffsetPaginator:
    """Page numbers from 0 or 1, or offsets from 0.

    Records that leave the selection while it is read pull those behind them forward, past the reader. A total
    that shrinks between two pages tells so, and the reader steps back by as much. A reader of another process
    looks again at the page before its own, and begins anew when that is no longer the same.
    """

    def __init__(self, listing: Listing, pages: NumberPages | OffsetPages) -> None:
        self._listing = listing
        self._parameter = pages.parameter
        self._first = pages.first if isinstance(pages, NumberPages) else 0
        self._numbered = isinstance(pages, NumberPages)

    def url(self, state: PageState) -> str:
        """The page at the state's position, counted from 0."""
        return self._listing.url({self._parameter: str(self._first + state.get("at", 0))})

    def rejoined(self, state: PageState, fetch: Fetch) -> PageState | None:
        """The state with the total of now, if the page before its own has not moved."""
        before = state.get("before")
        page = None if before is None else fetch(self.url(before))
        if before is None or page is None or _marks(page) != before["marks"]:
            return None
        return state if page.total is None else {**state, "total": page.total}

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The next position, or one further back when the total has shrunk."""
        at, read, count = state.get("at", 0), state["read"], len(page.records)
        total = page.total
        if at and total is not None and state["total"] > total:
            return self._stepped_back(state, page.what, total)
        if self._is_last(state, page):
            if "far" in state and total is not None and read + count < total and state.get("anew", 0) < _ANEW:
                return self._begun_anew(state, total)
            check_total(page.what, total, read + count)
            return None
        self._check_progress(state, page)
        return {
            "at": at + (1 if self._numbered else count),
            "read": read + count,
            # What a full page holds may be less than it was asked for.
            "held": state["held"] if at else count,
            "before": {"at": at, "marks": _marks(page)},
            "total": total,
            **{name: state[name] for name in ("far", "backs", "anew") if name in state},
        }

    def _is_last(self, state: PageState, page: Received) -> bool:
        if page.more is not None:
            return not page.more
        # A total that fell once may fall below what is there, so it ends nothing any more.
        if page.total is not None and "far" not in state:
            return not page.records or bool(state["read"] + len(page.records) >= page.total)
        return not page.records

    def _check_progress(self, state: PageState, page: Received) -> None:
        """Refuse a page that comes again: a source that does not heed the position would give it for ever."""
        grown = (page.total or 0) - (state.get("total") or 0)
        before = state.get("before")
        again = before is not None and before["marks"] == _marks(page) and grown < max(1, len(page.records))
        if again or not (page.records or self._numbered):
            raise ContractBroken(f"{page.what}: is the same as the page before it")

    def _stepped_back(self, state: PageState, what: str, total: int) -> PageState:
        """Before the page that told of the shrinking: as many may have slipped past its start."""
        at, held, gone = state["at"], state["held"], state["total"] - total
        far = max(at, state.get("far", 0))
        backs = 1 + (state.get("backs", 0) if far == state.get("far") else 0)
        if backs > _STANDSTILL:
            raise ContractBroken(
                f"{what}: the declared total falls with every page, so no position can be kept"
            )
        if not self._numbered:
            at = read = max(0, at - gone)
        elif held and state["read"] == at * held:
            at = max(0, at - math.ceil(gone / held))
            read = at * held
        else:
            # How many records lie before a page is known only where pages are of one size.
            at = read = 0
        kept = {"anew": state["anew"]} if "anew" in state else {}
        return {"at": at, "read": read, "held": held, "total": total, "far": far, "backs": backs, **kept}

    def _begun_anew(self, state: PageState, total: int) -> PageState:
        """From the beginning: records left and others joined, and the total does not tell how many."""
        return {**state, "at": 0, "read": 0, "total": total, "anew": state.get("anew", 0) + 1}


def _marks(page: Received) -> str:
    """Tell a page by its first and last record, as a digest, for they are somebody's."""
    ends: list[Any] = [page.records[0], page.records[-1]] if page.records else []
    return hashlib.blake2b(repr((len(page.records), ends)).encode(), digest_size=16).hexdigest()
