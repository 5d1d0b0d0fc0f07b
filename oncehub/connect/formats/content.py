"""What one response of a source holds: its records, and what it declares about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from oncehub.config.reading import InHeader, Pages, Place
from oncehub.config.syntax.paths import leads_to_one, steps_of
from oncehub.connect.formats.paths import all_at, at
from oncehub.connect.formats.unreadable import Unreadable, is_text
from oncehub.errors import ContractBroken

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_PLAIN_WORD = re.compile(r"[A-Za-z_]{1,40}")


@dataclass(frozen=True)
class Content:
    """One response, parsed.

    Attributes:
        what: names the response in errors.
        records: as the source sent them.
        body: where paths lead from; None where the format has no room beside the records.
        headers: of the response.
        total: count declared for the whole selection, where the connector says where it stands.
        more: whether the page declares that another one follows, likewise.
        size: bytes of the response, unpacked; its many small values count for what they take in memory.
        selected_of: the items on the page that the records were selected from; None where they are all.
    """

    what: str
    records: list[Any] = field(repr=False)
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    total: int | None = None
    more: bool | None = None
    size: int = 0
    selected_of: list[Any] | None = field(default=None, repr=False)

    @property
    def items(self) -> list[Any]:
        """All that the page lists, by which pages are counted and told apart."""
        return self.records if self.selected_of is None else self.selected_of

    @property
    def listed(self) -> int:
        """How many items the page lists."""
        return len(self.items)

    def value(self, place: Place) -> Any:
        """Return what stands at a path of the body or in a header, None where there is nothing.

        Raises:
            ContractBroken: when it cannot be read.
        """
        value = self.headers.get(place.header) if isinstance(place, InHeader) else at(self.body, place)
        if isinstance(value, Unreadable) or (isinstance(value, str) and not is_text(value)):
            why = value.reason if isinstance(value, Unreadable) else "is no Unicode text"
            raise ContractBroken(f"{self.what}: what stands at {shown(place)} {why}")
        return value

    def states_nothing(self, place: Place) -> bool:
        """Tell whether a place is there and empty, instead of leading nowhere as a mistaken path does."""
        if isinstance(place, InHeader):
            return self.headers.get(place.header) == ""
        if not leads_to_one(place):
            return any(value in (None, "") for value in all_at(self.body, place))
        content = self.body
        for step in steps_of(place):
            if content in (None, {}, []) and content is not self.body:
                return True
            match content, step:
                case dict(), str() if step in content:
                    content = content[step]
                case list(), int() if -len(content) <= step < len(content):
                    content = content[step]
                case _:
                    return False
        return content in (None, "")

    def count(self, place: Place) -> int | None:
        """Return the number at a place, also where it is written as text; None where there is nothing.

        Raises:
            ContractBroken: when something else stands there.
        """
        value = self.value(place)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            value = int(value)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise ContractBroken(f"{self.what}: holds no count at {shown(place)}")
        return value

    def promised_count(self, place: Place, thing: str = "count") -> int:
        """Return the number at a place where the connector says that one stands; `thing` names it in errors.

        Raises:
            ContractBroken: when there is none.
        """
        count = self.count(place)
        if count is None:
            raise self.lacks(thing, place)
        return count

    def lacks(self, thing: str, place: Place) -> ContractBroken:
        """Return the error for a page that lacks what the connector names."""
        return ContractBroken(f"{self.what}: holds no {thing} at {shown(place)}")

    def declared(self, pages: Pages) -> Content:
        """Return the content with what it declares about itself.

        Raises:
            ContractBroken: when a declaration is not where the connector says, or the page holds fewer
                records than it counts itself.
        """
        total = None if pages.total is None else self.promised_count(pages.total)
        if pages.count is not None and (count := self.promised_count(pages.count)) > self.listed:
            raise ContractBroken(f"{self.what}: counts {count} records but holds {self.listed}")
        more = None
        if pages.more is not None:
            more = _TRUTHS.get(str(self.value(pages.more)).lower())
            if more is None:
                raise self.lacks("true or false", pages.more)
        return replace(self, total=total, more=more)


def lists_in(body: Any, depth: int = 3) -> list[str]:
    """The dotted paths of lists whose names are plain words, which reveal no personal data."""
    found = []
    for name, part in body.items() if isinstance(body, dict) else ():
        if not _PLAIN_WORD.fullmatch(name):
            continue
        if isinstance(part, list):
            found.append(name)
        elif depth > 1:
            found += [f"{name}.{path}" for path in lists_in(part, depth - 1)]
    return found


def shown(place: Place | None) -> str:
    """Write a place for an error message."""
    if place is None:
        return "its top"
    return f"the header {place.header}" if isinstance(place, InHeader) else f"`{place}`"
