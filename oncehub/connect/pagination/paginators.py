"""Paginators: the ways from one page of a listing to the next, and the loop that reads its pages.

`offset` paginates by page number or offset, `cursor` by token, link or the connector's own paginator. What a
page declares is checked against what arrives: `more` decides whether another page follows, else a total, else
only an empty page ends a listing by offset, for a source may give fewer records than it was asked for. A
listing that ends before its total is an error; records beyond it are not, as a listing may grow meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import requests

from oncehub.config.reading import CursorPages, LinkPages, NextUrlPages, NumberPages, OffsetPages
from oncehub.connect.formats import Content, PageReader
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.responses import Response
from oncehub.connect.page import Page
from oncehub.connect.pagination.cursor import (
    CursorPaginator,
    LinkPaginator,
    PluginPaginator,
    Strip,
    path_and_query,
    same_origin,
)
from oncehub.connect.pagination.listing import Listing, Paginator, check_total
from oncehub.connect.pagination.offset import OffsetPaginator
from oncehub.connect.plugins import NextPage
from oncehub.connect.resume_token import PagePosition, ResumeToken
from oncehub.errors import ContractBroken, RequestRefused

logger = logging.getLogger(__name__)


class Gone(Exception):
    """What was to be listed is no longer there; never leaves this package."""


class SinglePagePaginator(Paginator):
    """Everything in one response."""

    def after(self, position: PagePosition, page: Content) -> PagePosition | None:
        """None: no page follows."""
        if page.more:
            raise ContractBroken(f"{page.what}: says that more follows, but its `pages` are of kind none")
        check_total(page.what, page.total, position.read + page.listed)
        return None


def paginator_of(listing: Listing, next_page: NextPage | None, strip: Strip) -> Paginator:
    """Return the paginator that the connector names; `strip` takes credentials out of addresses."""
    match listing.pages:
        case NumberPages() | OffsetPages() as pages:
            return OffsetPaginator(listing, pages)
        case CursorPages() as pages:
            return CursorPaginator(listing, pages)
        case NextUrlPages() as pages:
            return LinkPaginator(listing, pages, strip)
        case LinkPages():
            return LinkPaginator(listing, None, strip)
        case _:
            return SinglePagePaginator(listing) if next_page is None else PluginPaginator(listing, next_page)


def listing_pages(  # noqa: PLR0917 - what every reading needs
    requester: Requester,
    reader: PageReader,
    listing: Listing,
    paginator: Paginator,
    resume: PagePosition | None,
    proven: set[str],
) -> Iterator[Page]:
    """Read a listing, or the rest of it from `resume` on; each page's token holds the position behind it.

    A position of another listing starts anew, and so does an offset when the page before it has changed: what
    stands behind that offset now is not what stood there.

    Args:
        requester: of the source.
        reader: of its pages.
        listing: what is read.
        paginator: of the listing.
        resume: where to continue.
        proven: paths whose pages have named a next one; those of this listing are added.

    Raises:
        Gone: when the listing may be gone, and is.
        ContractBroken: when a page lacks what the connector names, the source sends the reader in circles,
            fewer records come than declared, or nothing shows that the last page is the last.
        SourceError: see `Requester.send`.
    """

    def fetched(request: requests.Request, number: int) -> Content:
        return _fetched(requester, reader, listing, request, number)

    position = PagePosition(listing.selection())
    if resume is not None:
        before = resume.number - 1
        if resume.selection == position.selection:
            position = paginator.rejoined(resume, lambda request: fetched(request, before)) or position
        if position.number == 1:
            logger.info("%s: changed since it was last read; starting anew", listing.name)
    while True:
        page = fetched(paginator.request(position), position.number)
        following = paginator.after(position, page)
        logger.debug("%s: %d records", page.what, len(page.records))
        if following is None:
            if listing.path not in proven and not paginator.shows_end(position, page):
                paginator.prove_end(page, partial(fetched, number=position.number + 1))
                proven.add(listing.path)
            token = _token_of_changes(listing, page, paginator.request(position).url)
            remarks = _remarks(listing, page)
            yield Page(
                page.records, None, position.number, page.total, size=page.size, token=token, remarks=remarks
            )
            return
        proven.add(listing.path)
        following = replace(following, number=position.number + 1)
        yield Page(
            page.records,
            ResumeToken(following),
            position.number,
            page.total,
            size=page.size,
            remarks=_remarks(listing, page, ended=False),
        )
        position = following


def _remarks(listing: Listing, page: Content, *, ended: bool = True) -> tuple[str, ...]:
    size = listing.pages.size
    if size is None or page.listed == size.value or (ended and page.listed < size.value):
        return ()
    if page.listed > size.value:
        return (f"it was asked for {size.value} records a page and gives more: it does not heed pages.size",)
    return (
        f"it was asked for {size.value} records a page and gives fewer; lower pages.size to what it gives",
    )


def _token_of_changes(listing: Listing, page: Content, asked: str) -> str | None:
    """Return from which to ask for later changes, as the last page names it.

    Raises:
        ContractBroken: when it names nothing, or another host.
    """
    if listing.changes is None:
        return None
    given = page.value(listing.changes.next)
    if not isinstance(given, str) or not given:
        raise page.lacks("place to ask for later changes", listing.changes.next)
    if listing.changes.parameter is not None:
        return given
    return path_and_query(same_origin(listing.host, asked, given, page.what))


def _fetched(
    requester: Requester, reader: PageReader, listing: Listing, request: requests.Request, number: int
) -> Content:
    what = f"{listing.name}: page {number}"
    gone = {404, 410} if listing.may_be_gone and number == 1 else set()
    gone |= {410} if listing.window.token is not None else set()

    def read(response: Response) -> Content:
        if response.status in gone and listing.window.token is not None:
            raise RequestRefused(
                f"{what}: answered 410: it lists changes from that token no more; run: oncehub sync"
                f" {listing.name} --full"
            )
        if response.status in gone:
            raise Gone
        return reader.page(response, what).declared(listing.pages)

    explain = partial(reader.failure, what=what) if listing.read.errors else None
    return requester.send(request, what, read, accept={200} | gone, explain=explain)
