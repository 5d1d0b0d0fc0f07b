"""One answer over HTTP, taken apart by the form that the connector states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from oncehub.connect.formats.content import Content, at, shown
from oncehub.connect.formats.json import parsed
from oncehub.connect.requesting import Answer
from oncehub.model.errors import ContractBroken
from oncehub.model.reading import Json, Pages, Read

ReadPart = Callable[[bytes, Mapping[str, str]], Any]
"""A connector's own reader, already bound to its connection: (body, headers) -> content."""


def reader_of(read: Read, pages: Pages, *, most: int, part: ReadPart | None = None) -> PageReader:
    """Return what takes a stream's answers apart.

    Args:
        read: the form, and where records stand in it.
        pages: what a page declares about itself.
        most: bytes that an answer may unpack to (`limits.page_bytes`).
        part: replaces the reading of the body; in what it returns, records and places are found as in JSON.
    """
    return PageReader(read, pages, most, part)


@dataclass(frozen=True)
class PageReader:
    """Takes answers of one stream apart; see `reader_of`."""

    read: Read
    pages: Pages
    most: int
    part: ReadPart | None = None

    def page(self, answer: Answer, what: str) -> Content:
        """Return what an answer holds; `what` names it in errors.

        A list of records that is null or not there counts as empty only where the page declares a total or
        count of 0: many systems answer so, but they answer an error of theirs in the same form.

        Raises:
            TryAgain: when the body is not whole, or is a page for people.
            ContractBroken: when it is whole but not as the connector says.
        """
        assert isinstance(self.read, Json)
        body = self.part(answer.body, answer.headers) if self.part else parsed(answer.body)
        records = at(body, self.read.records) if self.read.records else body
        content = Content(what, [], body, answer.headers)
        if records is None and self._declares_nothing(content):
            return content
        if not isinstance(records, list):
            raise ContractBroken(f"{what}: holds no list at {shown(self.read.records)}")
        return replace(content, records=records)

    def _declares_nothing(self, content: Content) -> bool:
        places = (self.pages.total, self.pages.count)
        return any(place is not None and content.count(place) == 0 for place in places)
