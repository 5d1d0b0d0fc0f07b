"""Cutting a listing into pages, and saying where the next one begins."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from stubs.hostile.register.register import Entry
from stubs.hostile.variant import Variant
from stubs.servers.protocol.parameters import Query
from stubs.servers.protocol.refusals import bad_parameter

Order = tuple[float, ...]
OrderOf = Callable[[Entry], Order]

_POSITION = {"number": "page", "offset": "offset", "cursor": "cursor", "next_url": "cursor", "link": "cursor"}


@dataclass(frozen=True)
class Place:
    """Where a page begins: behind a record's order, or at an index, or as the `ordinal`-th page from 1."""

    ordinal: int = 1
    index: int | None = None
    behind: Order | None = None

    def start(self, rows: Sequence[Entry], limit: int, order_of: OrderOf) -> int:
        """Its index in the listing, never beyond the end."""
        if self.behind is not None:
            return bisect_right(rows, self.behind, key=order_of)
        return min((self.ordinal - 1) * limit if self.index is None else self.index, len(rows))

    def token(self) -> str:
        """Its opaque text."""
        return base64.urlsafe_b64encode(orjson.dumps([self.ordinal, self.behind])).decode().rstrip("=")


@dataclass(frozen=True)
class Question:
    """What a request asks a listing for.

    Attributes:
        since: earliest statement, inclusive; None for all.
        until: latest statement, exclusive.
        after: the place in the sequence of changes that the reader has reached; None for all.
        deleted: whether deleted records are wanted too.
        limit: most records in the page; None for all.
    """

    place: Place = Place()
    limit: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    deleted: bool = False


@dataclass(frozen=True)
class Page:
    """A page on its way out: the whole listing it is cut from, its own part, and what it says of itself."""

    listing: Sequence[Entry]
    start: int
    entries: Sequence[Entry]
    place: Place
    following: Place | None
    total: int
    count: int
    more: bool
    origin: str

    @property
    def is_last(self) -> bool:
        """Whether the listing ends with it."""
        return self.start + len(self.entries) >= len(self.listing)


def position_parameters(variant: Variant) -> tuple[str, ...]:
    """The parameters that say where a page begins and how long it may be."""
    return () if variant.pages == "none" else (_POSITION[variant.pages], "limit")


def asked_place(query: Query, variant: Variant) -> tuple[Place, int | None]:
    """Where the page begins that a request asks for, and its greatest length."""
    if variant.pages == "none":
        return Place(), None
    limit = min(query.integer("limit", 100, minimum=1), variant.page_cap)
    match variant.pages:
        case "number":
            number = query.integer("page", variant.first_page, minimum=variant.first_page)
            return Place(number - variant.first_page + 1), limit
        case "offset":
            offset = query.integer("offset", 0, minimum=0)
            return Place(offset // limit + 1, index=offset), limit
        case _:
            token = query.text("cursor")
            return Place() if token is None else _place_of(token), limit


def cut(rows: Sequence[Entry], question: Question, order_of: OrderOf, origin: str) -> Page:
    """The page that a question asks for, of an ordered listing."""
    limit = len(rows) if question.limit is None else question.limit
    start = question.place.start(rows, limit, order_of)
    end = min(start + limit, len(rows))
    entries = rows[start:end]
    following = Place(question.place.ordinal + 1, behind=order_of(entries[-1])) if end < len(rows) else None
    more = following is not None
    return Page(
        rows, start, entries, question.place, following, len(rows), len(entries), more=more, origin=origin
    )


def by_time(entry: Entry) -> Order:
    """The order of a listing by statement time."""
    return entry.stated_at.astimezone(UTC).timestamp(), entry.sequence


def by_sequence(entry: Entry) -> Order:
    """The order of a listing by the sequence of changes."""
    return (entry.sequence,)


def _place_of(token: str) -> Place:
    try:
        padded = token + "=" * (-len(token) % 4)
        value = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        value = None
    match value:
        case [int(ordinal), None]:
            return Place(ordinal)
        case [int(ordinal), [*numbers]] if all(isinstance(number, int | float) for number in numbers):
            return Place(ordinal, behind=tuple(numbers))
        case _:
            raise bad_parameter("cursor", "unknown cursor")
