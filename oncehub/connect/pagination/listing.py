"""A listing: one selection of a stream's records, and how a paginator gets from page to page of it."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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

    @property
    def path(self) -> str:
        """Path of its pages, with placeholders where they stand."""
        return self.read.path or ""

    def url(self, parameters: Mapping[str, str] | None = None) -> str:
        """Address of a page: the selection, its size and `parameters`."""
        return self.host + self._path_and_query(parameters or {})

    def is_filled_by(self, page: Content) -> bool:
        """Whether a page holds as many records as were asked for."""
        return self.pages.size is not None and len(page.records) >= self.pages.size.value

    def sized(self, records: int) -> Listing | None:
        """The same listing with so many records on a page; None where the source decides."""
        if self.pages.size is None:
            return None
        size = self.pages.size.model_copy(update={"value": records})
        return replace(self, pages=self.pages.model_copy(update={"size": size}))

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

    def shows_end(self, position: PagePosition, page: Content) -> bool:  # noqa: ARG002
        """Whether it is known that `page`, behind which there is no position, is the last one."""
        return True

    def prove_end(self, page: Content, fetch: Fetch) -> None:  # noqa: B027 - what is shown needs no proof
        """Show by another request that `page`, the first, holds all records.

        Raises:
            ContractBroken: when it does not, or nothing can show it.
        """

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
