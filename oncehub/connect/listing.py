"""A selection of a stream's JSON records, and one page of it taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from oncehub.connect.requesting import Answer
from oncehub.model.errors import ContractBroken
from oncehub.model.reading import InHeader, Json, Pages


@dataclass(frozen=True)
class Listing:
    """One selection of a stream, to be read page by page.

    Attributes:
        name: `source.stream`.
        host: base URL of the source.
        read: where pages are, and the records in them.
        pages: how to walk them.
        parameters: query of the selection.
    """

    name: str
    host: str
    read: Json
    pages: Pages
    parameters: dict[str, str]

    @property
    def size(self) -> int | None:
        """Records asked for in one page."""
        return None if self.pages.size is None else self.pages.size.value

    def url(self, parameters: dict[str, str] | None = None) -> str:
        """Address of a page: the selection, its size and `parameters`."""
        query = dict(self.parameters)
        if self.pages.size is not None:
            query[self.pages.size.parameter] = str(self.pages.size.value)
        query |= parameters or {}
        # A space as %20: whoever signs or logs a query reads it the same way.
        text = urlencode(query, quote_via=quote)
        return self.host + (self.read.path or "") + (f"?{text}" if text else "")


@dataclass(frozen=True)
class Received:
    """One page as it came.

    Attributes:
        what: names the page in errors.
        content: parsed body.
        links: value of its Link header, empty where there is none.
        records: the list at the records path.
        total: count declared for the whole selection, if any.
    """

    what: str
    content: Any
    links: str
    records: list[Any]
    total: int | None


def received(answer: Answer, listing: Listing, what: str) -> Received:
    """Take a page apart.

    Raises:
        TryAgain: when it is no JSON.
        ContractBroken: when the records or a declared total are not where the connector says.
    """
    content = answer.json()
    records = at(content, listing.read.records) if listing.read.records else content
    if not isinstance(records, list):
        raise ContractBroken(f"{what}: holds no list at `{listing.read.records}`")
    total = _total(what, content, listing.pages)
    return Received(what, content, answer.headers.get("Link", ""), records, total)


def _total(what: str, content: Any, pages: Pages) -> int | None:
    if pages.total is None or isinstance(pages.total, InHeader):
        return None
    total = at(content, pages.total)
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise ContractBroken(f"{what}: holds no count at `{pages.total}`")
    return total


def at(content: Any, path: str) -> Any:
    """Return what stands at a dotted path, None where it leads nowhere."""
    for name in path.split("."):
        if not isinstance(content, dict):
            return None
        content = content.get(name)
    return content
