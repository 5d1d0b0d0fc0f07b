"""A selection of a stream's records, and one page of it with what the page declares about itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from oncehub.config.reading import Pages, Place, Read
from oncehub.connect.formats import Content
from oncehub.errors import ContractBroken

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


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


@dataclass(frozen=True)
class Received:
    """One page as it arrived.

    Attributes:
        content: its records, and the places of its body and headers.
        total: count declared for the whole selection, if any.
        more: whether it says that another page follows, where it says so at all.
    """

    content: Content
    total: int | None
    more: bool | None

    @property
    def what(self) -> str:
        """Names the page in errors."""
        return self.content.what

    @property
    def records(self) -> list[Any]:
        """As the source sent them."""
        return self.content.records


Fetch = Callable[[str], Received]
"""Fetches the page at an address."""


def received(content: Content, pages: Pages) -> Received:
    """Read what a page declares about itself.

    Raises:
        ContractBroken: when a declaration is not where the connector says, or the page holds fewer records
            than it counts itself.
    """
    total = None if pages.total is None else _count(content, pages.total)
    if pages.count is not None and (count := _count(content, pages.count)) > len(content.records):
        raise ContractBroken(f"{content.what}: counts {count} records but holds {len(content.records)}")
    return Received(content, total, None if pages.more is None else _truth(content, pages.more))


def check_total(what: str, total: int | None, read: int) -> None:
    """Refuse a listing that ended before its total.

    Raises:
        ContractBroken: when `read`, up to the last page, is less than what is declared.
    """
    if total is not None and read < total:
        raise ContractBroken(f"{what}: the source declares {total} records but ended after {read}")


def _count(content: Content, place: Place) -> int:
    count = content.count(place)
    if count is None:
        raise unlike_promised(content, "count", place)
    return count


def _truth(content: Content, place: Place) -> bool:
    value = str(content.value(place)).lower()
    if value not in _TRUTHS:
        raise unlike_promised(content, "true or false", place)
    return _TRUTHS[value]


def unlike_promised(content: Content, thing: str, place: Place) -> ContractBroken:
    """Return the error for a page that lacks what the connector names."""
    where = f"`{place}`" if isinstance(place, str) else f"the header {place.header}"
    return ContractBroken(f"{content.what}: holds no {thing} at {where}")
