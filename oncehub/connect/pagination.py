"""Reading a JSON listing page by page, from its beginning or from where an earlier process stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from oncehub.connect.listing import Listing, Received, received
from oncehub.connect.page import Page, PageState
from oncehub.connect.requesting import Requester
from oncehub.connect.walks import walk_of

logger = logging.getLogger(__name__)


def json_pages(requester: Requester, listing: Listing, resume: PageState | None) -> Iterator[Page]:
    """Read a listing, or the rest of it behind `resume`.

    A resume state of another way of paging starts anew, and so does one by position whose declared total has
    changed since: what stands behind the position is no longer what stood there.

    Raises:
        ContractBroken: when a page lacks what the connector names, the source sends the reader in circles, or
            fewer records come than declared.
        SourceError: see `Requester.send`.
    """
    walk = walk_of(listing)
    form = {"kind": listing.pages.kind, "size": listing.size}
    start: PageState = {**form, "number": 1, "read": 0}
    resumed = resume is not None and all(resume.get(name) == value for name, value in form.items())
    state = resume if resumed and resume is not None else start
    while True:
        page = _fetched(requester, listing, walk.url(state), state["number"])
        if resumed and walk.has_shifted(state, page):
            logger.info("%s: changed since it was last read; starting anew", listing.name)
            state, resumed = start, False
            continue
        resumed = False
        changed = walk.after(state, page)
        following = None if changed is None else {**state, **changed, "number": state["number"] + 1}
        logger.debug("%s: %d records", page.what, len(page.records))
        yield Page(page.records, following, state["number"], page.total)
        if following is None:
            return
        state = following


def _fetched(requester: Requester, listing: Listing, url: str, number: int) -> Received:
    what = f"{listing.name}: page {number}"
    return requester.get(url, what, lambda answer: received(answer, listing, what))
