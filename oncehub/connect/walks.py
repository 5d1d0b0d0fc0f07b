"""The ways from one page of a listing to the next: by position, by token, or none."""

from __future__ import annotations

import math
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests

from oncehub.connect.listing import Listing, Received, at
from oncehub.connect.page import PageState
from oncehub.connect.repeats import seen_again
from oncehub.model.errors import ContractBroken
from oncehub.model.reading import CursorPages, LinkPages, NumberPages, OffsetPages


class Walk(Protocol):
    """One way of paging; `state` always holds `number` and `read`, the records passed before its page."""

    def url(self, state: PageState) -> str:
        """Address of the page that `state` stands for."""

    def has_shifted(self, state: PageState, page: Received) -> bool:
        """Whether `page`, fetched by a state of an earlier process, may not join what that one read."""

    def after(self, state: PageState, page: Received) -> PageState | None:
        """What of the state changes for the page after this one; None when this one is the last."""


def walk_of(listing: Listing) -> Walk:
    """Return the way of paging that the connector names."""
    match listing.pages:
        case NumberPages() | OffsetPages() as pages:
            return ByPosition(listing, pages)
        case CursorPages() as pages:
            return ByCursor(listing, pages)
        case LinkPages():
            return ByLink(listing)
        case _:
            return SingleAnswer(listing)


class SingleAnswer:
    """Everything in one answer."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def url(self, state: PageState) -> str:  # noqa: ARG002
        """The only address."""
        return self._listing.url()

    def has_shifted(self, state: PageState, page: Received) -> bool:  # noqa: ARG002
        """A single answer is whole."""
        return False

    def after(self, state: PageState, page: Received) -> PageState | None:  # noqa: ARG002
        """Nothing follows."""
        return None


class ByPosition:
    """Page numbers from 1, or offsets from 0.

    Records that leave the selection while it is read pull those behind them forward, past the reader. A total
    that shrinks between two pages tells so, and the reader steps back by as much.
    """

    def __init__(self, listing: Listing, pages: NumberPages | OffsetPages) -> None:
        self._listing = listing
        self._parameter = pages.parameter
        self._size = pages.size.value if pages.size else 1
        self._numbered = isinstance(pages, NumberPages)

    def url(self, state: PageState) -> str:
        """The page at the state's offset."""
        offset = state.get("offset", 0)
        position = offset // self._size + 1 if self._numbered else offset
        return self._listing.url({self._parameter: str(position)})

    def has_shifted(self, state: PageState, page: Received) -> bool:
        """Whether the total is another than when the state was made."""
        return state.get("total", page.total) != page.total

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The next position, until the declared total is read, or else a page that is not full."""
        count = len(page.records)
        offset = state.get("offset", 0) + (self._size if self._numbered else count)
        if page.total is None:
            return None if count < self._size else {"offset": offset, "read": state["read"] + count}
        if state.get("total", page.total) > page.total:
            return self._stepped_back(state, page.total)
        read = state["read"] + count
        if read >= page.total:
            return None
        if count == 0:
            raise fewer_than_declared(page, read)
        return {"offset": offset, "read": read, "total": page.total}

    def _stepped_back(self, state: PageState, total: int) -> PageState:
        """Before the page that told of the shrinking: as many may have slipped past its start."""
        gone = state["total"] - total
        back = math.ceil(gone / self._size) * self._size if self._numbered else gone
        offset = max(0, state["offset"] - back)
        return {"offset": offset, "read": offset, "total": total}


class ByCursor:
    """An opaque token in each page names the next."""

    def __init__(self, listing: Listing, pages: CursorPages) -> None:
        self._listing = listing
        self._pages = pages

    def url(self, state: PageState) -> str:
        """The page of the state's token."""
        token = state.get("token")
        return self._listing.url(None if token is None else {self._pages.parameter: token})

    def has_shifted(self, state: PageState, page: Received) -> bool:  # noqa: ARG002
        """A token names a place that does not shift."""
        return False

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The token at the connector's `next` path; none, null or empty ends the read."""
        token = at(page.content, str(self._pages.next))
        if token is not None and not isinstance(token, str | int):
            raise ContractBroken(f"{page.what}: holds no token at `{self._pages.next}`")
        return _by_token(state, page, "" if token is None else str(token))


class ByLink:
    """A Link header with `rel="next"` names the next page (RFC 8288)."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._origin = _origin(listing.host)

    def url(self, state: PageState) -> str:
        """The page of the state's link."""
        token = state.get("token")
        return self._listing.url() if token is None else "{}://{}:{}".format(*self._origin) + str(token)

    def has_shifted(self, state: PageState, page: Received) -> bool:  # noqa: ARG002
        """A link names a place that does not shift."""
        return False

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The link's path and query, on the same host: credentials go nowhere else."""
        link = next_link(page.links)
        if link is None:
            return None
        try:
            address = urljoin(self.url(state), link)
            origin = _origin(address)
        except ValueError:
            raise ContractBroken(f"{page.what}: its next link is no address") from None
        if origin != self._origin:
            raise ContractBroken(f"{page.what}: its next link leads to another host than the connection's")
        parts = urlsplit(address)
        return _by_token(state, page, f"{parts.path}?{parts.query}")


def next_link(header: str) -> str | None:
    """Return the address with relation `next` of a Link header, if there is one."""
    for link in requests.utils.parse_header_links(header) if header else []:
        if "next" in link.get("rel", "").lower().split():
            return link["url"]
    return None


def fewer_than_declared(page: Received, read: int) -> ContractBroken:
    """Return the error for a listing that ended early."""
    return ContractBroken(f"{page.what}: the source declares {page.total} records but ended after {read}")


def _by_token(state: PageState, page: Received, token: str) -> PageState | None:
    read = state["read"] + len(page.records)
    if not token:
        if page.total is not None and read < page.total:
            raise fewer_than_declared(page, read)
        return None
    watch = seen_again(state.get("watch"), token)
    if watch is None:
        raise ContractBroken(f"{page.what}: leads back to a page that was already read")
    return {"token": token, "read": read, "watch": watch}


def _origin(url: str) -> tuple[Any, Any, Any]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port
