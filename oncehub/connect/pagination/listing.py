"""A listing: one selection of a stream's records, and how a paginator gets from page to page of it."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from oncehub.config.reading import Pages, Read
from oncehub.connect.formats import Content
from oncehub.connect.resume_token import PagePosition
from oncehub.errors import ContractBroken

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Listing:
    """One selection of a stream, to be read page by page.

    Attributes:
        name: names it in errors, e.g. `source.stream`.
        host: base URL of the source.
        read: where pages are, and the records in them.
        pages: how to get from one to the next.
        parameters: query of the selection.
        values: replace the placeholders of `read`.
        may_be_gone: whether 404 and 410 mean that there is nothing to list any more.
        whole: whether a record that it lacks counts as deleted.
    """

    name: str
    host: str
    read: Read
    pages: Pages
    parameters: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    may_be_gone: bool = False
    whole: bool = False

    def url(self, parameters: Mapping[str, str] | None = None) -> str:
        """Address of a page: the selection, its size and `parameters`."""
        return self.host + self._path_and_query(parameters or {})

    def selection(self) -> str:
        """Identify what is selected and how it is paged: no other listing may continue at its positions.

        It is a digest, for what is selected may be a key of a record.
        """
        text = f"{self.pages.kind} {self._path_and_query({})}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def _path_and_query(self, parameters: Mapping[str, str]) -> str:
        path = _PLACEHOLDER.sub(lambda name: quote(self.values[name[1]], safe=""), self.read.path or "")
        query = {
            name: _PLACEHOLDER.sub(lambda name: self.values[name[1]], value)
            for name, value in self.read.query.items()
        }
        query |= self.parameters
        if self.pages.size is not None:
            query[self.pages.size.parameter] = str(self.pages.size.value)
        # A space as %20, which signatures and logs read in one way only.
        text = urlencode(query | dict(parameters), quote_via=quote)
        return path + (f"?{text}" if text else "")


Fetch = Callable[[str], Content]
"""Fetches the page at an address."""


class Paginator(ABC):
    """One way to get from one page of a listing to the next."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def url(self, position: PagePosition) -> str:  # noqa: ARG002
        """Address of the page at `position`."""
        return self._listing.url()

    def rejoined(self, position: PagePosition, fetch: Fetch) -> PagePosition | None:  # noqa: ARG002
        """The position of an earlier process as of now; None when the pages before it have changed."""
        return None

    @abstractmethod
    def after(self, position: PagePosition, page: Content) -> PagePosition | None:
        """The position behind `page`, which is the one at `position`; None when it is the last.

        Raises:
            ContractBroken: when the page promises what does not come, or leads back.
        """


def check_total(what: str, total: int | None, read: int) -> None:
    """Refuse a listing that ended before its total.

    Raises:
        ContractBroken: when `read`, up to the last page, is less than what is declared.
    """
    if total is not None and read < total:
        raise ContractBroken(f"{what}: the source declares {total} records but ended after {read}")
