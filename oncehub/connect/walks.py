"""The ways from one page of a listing to the next: by position, by token, by a part of its own, or none.

What a page declares is held against what comes: `more` decides whether another page follows, else a total,
else only an empty page ends a listing by position, for a source may give fewer records than it was asked for.
A listing that ends before its total is an error; records beyond it are not, as a listing may grow meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from oncehub.connect.listing import Listing, Received
from oncehub.connect.page import PageState
from oncehub.connect.repeats import seen_again
from oncehub.model.errors import ContractBroken

Fetch = Callable[[str], Received]
"""Fetches the page at an address."""


class Walk(Protocol):
    """One way of paging; a state is what `after` returned, and holds `read`, the records before its page."""

    def url(self, state: PageState) -> str:
        """Address of the page that `state` stands for."""

    def rejoins(self, state: PageState, fetch: Fetch) -> bool:
        """Whether what lies behind the state of an earlier process is still what lay there then."""

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The state of the page after this one; None when this one is the last.

        Raises:
            ContractBroken: when the page promises what does not come, or leads back.
        """


class SingleAnswer:
    """Everything in one answer."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def url(self, state: PageState) -> str:  # noqa: ARG002
        """The only address."""
        return self._listing.url()

    def rejoins(self, state: PageState, fetch: Fetch) -> bool:  # noqa: ARG002
        """There is nothing to go on with."""
        return False

    def after(self, state: PageState, page: Received) -> PageState | None:
        """Nothing follows."""
        if page.more:
            raise ContractBroken(f"{page.what}: says that more follows, but its `pages` are of kind none")
        check_total(page, state["read"] + len(page.records))
        return None


def check_total(page: Received, read: int) -> None:
    """Refuse a listing that ended before its total.

    Raises:
        ContractBroken: when `read`, up to this last page, is less than what it declares.
    """
    if page.total is not None and read < page.total:
        raise ContractBroken(f"{page.what}: the source declares {page.total} records but ended after {read}")


def after_token(state: PageState, page: Received, token: str | None) -> PageState | None:
    """Return the state of the page that a token names.

    Raises:
        ContractBroken: when there is none though more is promised, or it leads back to a page already read.
    """
    read = state["read"] + len(page.records)
    if page.more and not token:
        raise ContractBroken(f"{page.what}: says that more follows, but names no next page")
    if page.more is False or not token:
        check_total(page, read)
        return None
    watch = seen_again(state.get("watch"), token)
    if watch is None:
        raise ContractBroken(f"{page.what}: leads back to a page that was already read")
    return {"token": token, "read": read, "watch": watch}
