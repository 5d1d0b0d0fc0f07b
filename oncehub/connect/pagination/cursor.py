"""Pages that name the next one: by an opaque token, by its address, or as a connector's own part finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from oncehub.config.reading import CursorPages, NextUrlPages
from oncehub.connect.page import PageState
from oncehub.connect.pagination.listing import Listing, Received, unlike_promised
from oncehub.connect.pagination.paginators import Fetch, after_token
from oncehub.connect.plugins import Pager, PageView
from oncehub.errors import ContractBroken

Strip = Callable[[str], str]
"""Takes out of an address what authenticates a request."""


class _Named:
    """A token names a place that does not shift."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def rejoined(self, state: PageState, fetch: Fetch) -> PageState | None:  # noqa: ARG002
        """As it was."""
        return state


class CursorPaginator(_Named):
    """An opaque token in each page names the next."""

    def __init__(self, listing: Listing, pages: CursorPages) -> None:
        super().__init__(listing)
        self._pages = pages

    def url(self, state: PageState) -> str:
        """The page of the state's token."""
        token = state.get("token")
        return self._listing.url(None if token is None else {self._pages.parameter: token})

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The token at the connector's `next`; none, null or empty ends the read."""
        token = page.content.value(self._pages.next)
        if token is not None and (not isinstance(token, str | int) or isinstance(token, bool)):
            raise unlike_promised(page.content, "token", self._pages.next)
        return after_token(state, page, None if token is None else str(token))


class LinkPaginator(_Named):
    """The next page's address stands in the body, or in a Link header with `rel="next"` (RFC 8288)."""

    def __init__(self, listing: Listing, pages: NextUrlPages | None, strip: Strip) -> None:
        super().__init__(listing)
        self._pages = pages
        self._strip = strip
        self._origin = _origin(listing.host)
        base = urlsplit(listing.host)
        self._base = f"{base.scheme}://{base.netloc}"

    def url(self, state: PageState) -> str:
        """The page of the state's address."""
        token = state.get("token")
        return self._listing.url() if token is None else self._base + str(token)

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The address's path and query, on the same host: credentials go nowhere else."""
        given = self._given(page)
        if not given:
            return after_token(state, page, None)
        try:
            address = urljoin(self.url(state), given)
            origin = _origin(address)
        except ValueError:
            raise ContractBroken(f"{page.what}: its next link is no address") from None
        if origin != self._origin:
            raise ContractBroken(f"{page.what}: its next link leads to another host than the connection's")
        parts = urlsplit(self._strip(address))
        return after_token(state, page, f"{parts.path}?{parts.query}")

    def _given(self, page: Received) -> str | None:
        if self._pages is None:
            return next_link(page.content.headers.get("Link", ""))
        address = page.content.value(self._pages.next)
        if address is not None and not isinstance(address, str):
            raise unlike_promised(page.content, "address", self._pages.next)
        return address


def next_link(header: str) -> str | None:
    """Return the address with relation `next` of a Link header, if there is one."""
    for link in requests.utils.parse_header_links(header) if header else []:
        if "next" in link.get("rel", "").lower().split():
            return link["url"]
    return None


class PluginPaginator(_Named):
    """The connector's own pager says what to ask for next."""

    def __init__(self, listing: Listing, pager: Pager) -> None:
        super().__init__(listing)
        self._pager = pager

    def url(self, state: PageState) -> str:
        """The page of the state's parameters."""
        return self._listing.url(state.get("query"))

    def after(self, state: PageState, page: Received) -> PageState | None:
        """The parameters that the pager gives; None ends the read."""
        asked = state.get("query", {})
        content = page.content
        view = PageView(
            content.records, content.body, content.headers, self.url(state), state.get("page", 1), asked
        )
        query = self._pager(view)
        following = after_token(state, page, None if query is None else urlencode(sorted(query.items())))
        if following is None or query is None:
            return None
        return {**following, "query": dict(query), "page": state.get("page", 1) + 1}


def _origin(url: str) -> tuple[Any, Any, Any]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port
