"""Reading a listing page by page, from its beginning or from where an earlier process stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import requests

from oncehub.config.reading import CursorPages, LinkPages, NextUrlPages, NumberPages, OffsetPages
from oncehub.connect.formats import PageReader
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.responses import Response
from oncehub.connect.page import Page, PageState
from oncehub.connect.pagination.cursor import CursorPaginator, LinkPaginator, PluginPaginator, Strip
from oncehub.connect.pagination.listing import Listing, Received, received
from oncehub.connect.pagination.offset import OffsetPaginator
from oncehub.connect.pagination.paginators import Paginator, SinglePagePaginator
from oncehub.connect.plugins import Pager

logger = logging.getLogger(__name__)

_BEGINNING: PageState = {"read": 0}


class Gone(Exception):
    """What was to be listed is no longer there; never leaves this package."""


def paginator_of(listing: Listing, pager: Pager | None, strip: Strip) -> Paginator:
    """Return the way of paging that the connector names; `strip` takes credentials out of addresses."""
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
            return SinglePagePaginator(listing) if pager is None else PluginPaginator(listing, pager)


def listing_pages(
    requester: Requester, reader: PageReader, listing: Listing, walk: Paginator, resume: PageState | None
) -> Iterator[Page]:
    """Read a listing, or the rest of it behind `resume`.

    A resume state of another listing starts anew, and so does one by position when the page before it is no
    longer the same: what stands behind the position is not what stood there.

    Raises:
        Gone: when the listing may be gone, and is.
        ContractBroken: when a page lacks what the connector names, the source sends the reader in circles, or
            fewer records come than declared.
        SourceError: see `Requester.send`.
    """

    def fetched(url: str, number: int) -> Received:
        return _fetched(requester, reader, listing, url, number)

    number, state = 1, _BEGINNING
    if resume is not None and resume["form"] == listing.form():
        before: int = resume["number"] - 1
        rejoined = walk.rejoined(resume["at"], lambda url: fetched(url, before))
        if rejoined is not None:
            number, state = before + 1, rejoined
    if resume is not None and number == 1:
        logger.info("%s: changed since it was last read; starting anew", listing.name)
    while True:
        page = fetched(walk.url(state), number)
        following = walk.after(state, page)
        logger.debug("%s: %d records", page.what, len(page.records))
        if following is None:
            yield Page(page.records, None, number, page.total)
            return
        number, state = number + 1, following
        yield Page(
            page.records, {"form": listing.form(), "number": number, "at": state}, number - 1, page.total
        )


def _fetched(requester: Requester, reader: PageReader, listing: Listing, url: str, number: int) -> Received:
    what = f"{listing.name}: page {number}"
    gone = {404, 410} if listing.may_be_gone and number == 1 else set()

    def read(answer: Response) -> Received:
        if answer.status in gone:
            raise Gone
        return received(reader.page(answer, what), listing.pages)

    request = requests.Request("GET", url, headers=dict(listing.read.headers))
    return requester.send(request, what, read, accept={200} | gone)
