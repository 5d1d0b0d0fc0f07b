"""Pagination by cursor: a page names the next by a token, its address, or through the connector's plugin.

Not the cursor of a stream, which `intake` moves on after each run (`intake/runs/cursor.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import orjson
import requests

from oncehub.config.reading import (
    CursorPages,
    LinkPages,
    NextUrlPages,
    NumberPages,
    OffsetPages,
    SinglePage,
)
from oncehub.connect.formats import Content
from oncehub.connect.formats.content import shown
from oncehub.connect.pagination.listing import Fetch, Listing, Paginator, check_total
from oncehub.connect.plugins import NextPage, PageView
from oncehub.connect.resume_token import LoopCheck, PagePosition
from oncehub.errors import ContractBroken

_SOME = 2
"""Records of a page that may be cut off from others: no source gives fewer while there are more."""

Strip = Callable[[str], str]
"""Takes out of an address what authenticates a request."""


class _ByToken(Paginator):
    """A token names a place that does not shift while records change."""

    def shows_end(self, position: PagePosition, page: Content) -> bool:
        """Whether an earlier page named a next one, or the page declares its end.

        A place that leads nowhere looks like the end of every listing.
        """
        count = page.listed
        counted = page.total is not None and page.total >= count and not self._listing.is_filled_by(page)
        changes = self._listing.changes
        declared = (
            counted
            or (changes and page.value(changes.next))
            or page.more is not None
            or self._names_none(page)
        )
        return bool(declared) or position.token is not None or count < _SOME

    def prove_end(self, page: Content, fetch: Fetch) -> None:
        """Ask for one record less than `page` holds: only then must the next page be named.

        It need not be where a record has left meanwhile, which another look at the first page shows.
        """
        pages, count = self._listing.pages, page.listed
        if isinstance(pages, SinglePage | NumberPages | OffsetPages) or pages.end == "absent":
            return
        place = "the header Link" if isinstance(pages, LinkPages) else shown(pages.next)
        smaller = self._listing.sized(count - 1)
        if smaller is not None:
            fewer = fetch(smaller.request())
            if self._names_next_or_none(smaller, fewer):
                return
            if fewer.listed < count:
                again = fetch(self._listing.request())
                if again.listed < _SOME or self._names_next_or_none(self._listing, again):
                    return
                if again.listed < count:
                    self.prove_end(again, fetch)
                    return
                raise ContractBroken(
                    f"{page.what}: no next page is named at {place}, even when only {count - 1} of its"
                    f" {count} records are asked for; correct `pages` in its connector.yaml"
                )
        raise ContractBroken(
            f"{page.what}: no next page is named at {place}, and nothing shows that all records came; name"
            " `total` or `more` in `pages` of its connector.yaml, or a `size` that the source follows; write"
            " `end: absent` only if the source documents that its last page lacks it"
        )

    def _names_next_or_none(self, listing: Listing, first: Content) -> bool:
        """Whether a first page names the next one, or says that there is none."""
        start = PagePosition(listing.selection())
        return self._names_none(first) or self.after(start, replace(first, total=None)) is not None

    def _names_none(self, page: Content) -> bool:
        """Whether the page says in the place of the next one that there is none."""
        raise NotImplementedError

    def rejoined(self, position: PagePosition, fetch: Fetch) -> PagePosition | None:  # noqa: ARG002
        """The position as it was."""
        return position


class CursorPaginator(_ByToken):
    """An opaque token in each page names the next."""

    def __init__(self, listing: Listing, pages: CursorPages) -> None:
        super().__init__(listing)
        self._pages = pages

    def request(self, position: PagePosition) -> requests.Request:
        """The page of the position's token."""
        token: Any = position.token
        if token is not None and position.token_is_json:
            token = orjson.loads(token)
        return self._listing.request(None if token is None else {"cursor": token})

    def after(self, position: PagePosition, page: Content) -> PagePosition | None:
        """The token at the connector's `next`; none, null or empty ends the read."""
        token = page.value(self._pages.next)
        if (
            isinstance(token, bool)
            or not isinstance(token, str | int | list | dict | None)
            or token in ([], {})
        ):
            raise page.lacks("token", self._pages.next)
        if token is None or isinstance(token, str):
            return _behind(position, page, token)
        try:
            text = orjson.dumps(token).decode()
        except orjson.JSONEncodeError:
            raise page.lacks("token that JSON can hold", self._pages.next) from None
        following = _behind(position, page, text)
        return None if following is None else replace(following, token_is_json=True)

    def _names_none(self, page: Content) -> bool:
        return page.states_nothing(self._pages.next)


class LinkPaginator(_ByToken):
    """The next page's address stands in the body, or in a Link header with `rel="next"` (RFC 8288)."""

    def __init__(self, listing: Listing, pages: NextUrlPages | None, strip: Strip) -> None:
        super().__init__(listing)
        self._pages = pages
        self._strip = strip

    def request(self, position: PagePosition) -> requests.Request:
        """The position's address."""
        token = position.token
        return self._listing.request() if token is None else self._listing.stored(token)

    def after(self, position: PagePosition, page: Content) -> PagePosition | None:
        """The address's path and query, on the same host: credentials go nowhere else."""
        given = self._given(page)
        if not given:
            return _behind(position, page, None)
        address = same_origin(self._listing.host, self.request(position).url, given, page.what)
        return _behind(position, page, path_and_query(self._strip(address)))

    def _names_none(self, page: Content) -> bool:
        return "Link" in page.headers if self._pages is None else page.states_nothing(self._pages.next)

    def _given(self, page: Content) -> str | None:
        if self._pages is None:
            return next_link(page.headers.get("Link", ""))
        address = page.value(self._pages.next)
        if address is not None and not isinstance(address, str):
            raise page.lacks("address", self._pages.next)
        return address


def next_link(header: str) -> str | None:
    """Return the address with relation `next` of a Link header, if there is one."""
    for link in requests.utils.parse_header_links(header) if header else []:
        if "next" in link.get("rel", "").lower().split():
            return link["url"]
    return None


class PluginPaginator(_ByToken):
    """The connector's own paginator gives the parameters of the next page."""

    def __init__(self, listing: Listing, next_page: NextPage) -> None:
        super().__init__(listing)
        self._next_page = next_page

    def request(self, position: PagePosition) -> requests.Request:
        """The page of the position's parameters."""
        return self._listing.request(parameters=position.query)

    def after(self, position: PagePosition, page: Content) -> PagePosition | None:
        """The parameters that the plugin gives; None ends the read."""
        view = PageView(
            page.records,
            page.body,
            page.headers,
            self.request(position).url,
            position.number,
            position.query or {},
        )
        query = self._next_page(view)
        following = _behind(position, page, None if query is None else urlencode(sorted(query.items())))
        return None if following is None or query is None else replace(following, query=dict(query))

    def _names_none(self, page: Content) -> bool:  # noqa: ARG002
        """Always: the plugin says so."""
        return True


def _behind(position: PagePosition, page: Content, token: str | None) -> PagePosition | None:
    """Return the position of the page that a token names.

    Raises:
        ContractBroken: when there is none though more is promised, or it leads back to a page already read.
    """
    read = position.read + page.listed
    # What joined behind the reader is in the latest total, what left before it in the first.
    totals = [total for total in (position.total, page.total) if total is not None]
    least = min(totals, default=None)
    if page.more and not token:
        raise ContractBroken(f"{page.what}: says that more follows, but names no next page")
    if page.more is False or not token:
        check_total(page.what, least, read)
        return None
    loop = checked_loop(position.loop, token)
    if loop is None:
        raise ContractBroken(f"{page.what}: leads back to a page that was already read")
    return replace(position, token=token, read=read, loop=loop, total=least)


def checked_loop(check: LoopCheck | None, token: str) -> LoopCheck | None:
    """Return the check with `token` added, or None when the tokens run in a loop.

    Brent's cycle finding: the token compared with is replaced after 1, 2, 4, 8 ... tokens, so one that
    repeats at once is found at once, and any loop within twice as many tokens as came before its first
    repetition, plus its length. The check does not grow, and keeps digests, for tokens may hold keys of
    records.
    """
    digest = hashlib.blake2b(token.encode(), digest_size=16).hexdigest()
    if check is None:
        return LoopCheck(digest)
    if check.digest == digest:
        return None
    steps = check.steps + 1
    if steps == check.until:
        return LoopCheck(digest, until=2 * steps)
    return replace(check, steps=steps)


def same_origin(host: str, asked: str, given: str, what: str) -> str:
    """Return the address that a page names, whole.

    Raises:
        ContractBroken: when it is none, or leads to another host than the connection's.
    """
    try:
        address = urljoin(asked, given)
        origin = _origin(address)
    except ValueError:
        raise ContractBroken(f"{what}: its next link is no address") from None
    if origin != _origin(host):
        raise ContractBroken(f"{what}: its next link leads to another host than the connection's")
    return address


def path_and_query(address: str) -> str:
    """Return what is stored of an address."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def _origin(url: str) -> tuple[Any, Any, Any]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port
