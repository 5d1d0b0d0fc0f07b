"""The ways from one page of a listing to the next: by position, by token, by a part of its own, or none.

What a page declares is held against what comes: `more` decides whether another page follows, else a total,
else only an empty page ends a listing by position, for a source may give fewer records than it was asked for.
A listing that ends before its total is an error; records beyond it are not, as a listing may grow meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from oncehub.connect.page import PageState
from oncehub.connect.pagination.listing import Listing, Received
from oncehub.connect.pagination.loops import seen_again
from oncehub.errors import ContractBroken

Fetch = Callable[[str], Received]
"""Fetches the page at an address."""


class Paginator(Protocol):
    """One way of paging; a state is what `after` returned, and holds `read`, the records before its page."""

    def url(self, state: PageState) -> str:
        """Address of the page that `state` stands for."""

    def rejoined(self, state: PageState, fetch: Fetch) -> PageState | None:
        """The state of an earlier process as of now; None when what lies behind it is no longer the same."""

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The state of the page after this one; None when this one is the last.

        Raises:
            ContractBroken: when the page promises what does not come, or leads back.
        """


class SinglePagePaginator:
    """Everything in one answer."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def url(self, state: PageState) -> str:  # noqa: ARG002
        """The only address."""
        return self._listing.url()

    def rejoined(self, state: PageState, fetch: Fetch) -> PageState | None:  # noqa: ARG002
        """There is nothing to go on with."""
        return None

    def after(self, state: PageState, page: Received) -> PageState | None:
        """Nothing follows."""
        if page.more:
            raise ContractBroken(f"{page.what}: says that more follows, but its `pages` are of kind none")
        check_total(page.what, page.total, state["read"] + len(page.records))
        return None


def check_total(what: str, total: int | None, read: int) -> None:
    """Refuse a listing that ended before its total.

    Raises:
        ContractBroken: when `read`, up to the last page, is less than what is declared.
    """
    if total is not None and read < total:
        raise ContractBroken(f"{what}: the source declares {total} records but ended after {read}")


def after_token(state: PageState, page: Received, token: str | None) -> PageState | None:
    """Return the state of the page that a token names.

    Raises:
        ContractBroken: when there is none though more is promised, or it leads back to a page already read.
    """
    read = state["read"] + len(page.records)
    # What joined behind the reader is in the latest total, what left before it in the first.
    totals = [total for total in (state.get("total"), page.total) if total is not None]
    least = min(totals, default=None)
    if page.more and not token:
        raise ContractBroken(f"{page.what}: says that more follows, but names no next page")
    if page.more is False or not token:
        check_total(page.what, least, read)
        return None
    watch = seen_again(state.get("watch"), token)
    if watch is None:
        raise ContractBroken(f"{page.what}: leads back to a page that was already read")
    return {"token": token, "read": read, "watch": watch, "total": least}
