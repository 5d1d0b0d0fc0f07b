"""Whatever way a listing is paged, cut, moved while it is read, and however often its reader dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.page import Page
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window

from ..answering import Carrier
from ..conftest import BASIC, Stored, stored
from ..serving import Asked, Reply, as_json

ALL = Window(None, None)
KINDS: dict[str, dict[str, Any]] = {
    "number from 0": {"kind": "number", "parameter": "page", "first": 0},
    "number from 1": {"kind": "number", "parameter": "page"},
    "offset": {"kind": "offset", "parameter": "from"},
    "cursor": {"kind": "cursor", "parameter": "cursor", "next": "next"},
    "next url": {"kind": "next_url", "next": "after"},
    "link": {"kind": "link"},
}
DECLARED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "total": {"total": "total"},
    "total in a header": {"total": {"header": "X-Total"}},
    "count": {"count": "count"},
    "more": {"more": "more"},
    "all": {"total": "total", "count": "count", "more": "more"},
}


@dataclass
class Moving:
    """Lists numbers in a fixed order, understanding every way of paging, and moves after each answer."""

    listed: list[int]
    cap: int
    first: int = 1
    events: Iterator[Callable[[list[int]], None]] = field(default_factory=lambda: iter(()))

    def __call__(self, asked: Asked) -> Reply:
        size = min(int(asked.query.get("n", 1000)), self.cap)
        start = self._start(asked, size)
        shown = self.listed[start : start + size]
        more = start + size < len(self.listed)
        content = {
            "items": [{"id": number} for number in shown],
            "total": len(self.listed),
            "count": len(shown),
            "more": more,
            "next": str(shown[-1]) if more else None,
            "after": f"items?n={size}&cursor={shown[-1]}" if more else "",
        }
        headers = {"X-Total": str(len(self.listed))}
        if more:
            headers["Link"] = f'<items?n={size}&cursor={shown[-1]}>; rel="next"'
        next(self.events, lambda listed: None)(self.listed)
        return as_json(content, **headers)

    def _start(self, asked: Asked, size: int) -> int:
        if token := asked.query.get("cursor"):
            # Order is by number, so the place behind one stays known when it has gone.
            return sum(number <= int(token) for number in self.listed)
        if "page" in asked.query:
            return (int(asked.query["page"]) - self.first) * size
        return int(asked.query.get("from", 0))


def connector(pages: dict[str, Any]) -> Connector:
    document = yaml.safe_load(BASIC)
    document["streams"]["items"] |= {"pages": pages}
    return Connector.model_validate(document)


def opened(moving: Moving, pages: dict[str, Any]) -> Source:
    """A source whose answers are the listing's, without any waiting."""
    return Source(
        connector(pages),
        Connection("http://127.0.0.1:1"),
        transport=lambda _inner: Carrier(moving),
        pause=lambda _seconds: None,
    )


def read(moving: Moving, pages: dict[str, Any], kills: list[int]) -> list[Page]:
    """Read to the end, by a new process after so many pages each."""
    state: Stored | None = None
    came: list[Page] = []
    for most in [*kills, 1000]:
        with opened(moving, pages) as source:
            reading = source.pages("items", ALL, state)
            came += islice(reading, most)
            reading.close()  # type: ignore[attr-defined]
        state = stored(came[-1].next)
        if state is None:
            return came
    raise AssertionError("the listing does not end")


def ids(pages: list[Page]) -> list[int]:
    return [record["id"] for page in pages for record in page.records]


@given(
    kind=st.sampled_from(list(KINDS)),
    declared=st.sampled_from(list(DECLARED)),
    size=st.none() | st.integers(1, 7),
    cap=st.integers(1, 7),
    count=st.integers(0, 30),
    kills=st.lists(st.integers(1, 3), max_size=5),
)
@example(kind="offset", declared="nothing", size=5, cap=3, count=9, kills=[1])
@example(kind="link", declared="nothing", size=None, cap=2, count=2, kills=[])
def test_a_listing_that_stands_still_is_read_once_and_whole(
    kind: str, declared: str, size: int | None, cap: int, count: int, kills: list[int]
) -> None:
    pages = KINDS[kind] | DECLARED[declared]
    if size is not None:
        pages |= {"size": {"parameter": "n", "value": size}}
    elif kind == "link":
        # A last page without the header proves nothing where no size can be asked for.
        pages |= {"end": "absent"}
    moving = Moving(list(range(1, count + 1)), cap, first=pages.get("first", 1))
    came = read(moving, pages, kills)
    assert ids(came) == list(range(1, count + 1))
    assert [page.number for page in came] == list(range(1, len(came) + 1))


def leaving(share: float) -> Callable[[list[int]], None]:
    def event(listed: list[int]) -> None:
        if listed:
            del listed[int(share * len(listed))]

    return event


def joining(share: float) -> Callable[[list[int]], None]:
    """A number between two others; it is odd, those there from the beginning are multiples of 1000."""

    def event(listed: list[int]) -> None:
        place = int(share * (len(listed) + 1))
        lower = listed[place - 1] if place else 0
        upper = listed[place] if place < len(listed) else lower + 1000
        if upper - lower > 2:
            listed.insert(place, (lower + upper) // 2 | 1)

    return event


SHARES = st.floats(0, 1, exclude_max=True)
LEAVING, JOINING = st.builds(leaving, SHARES), st.builds(joining, SHARES)
# By token, one read bears either: behind a token nobody can tell a newcomer from one that has left.
MOVES = {
    kind: st.lists(LEAVING | JOINING, max_size=30)
    if {"number", "offset"} & set(kind.split())
    else st.lists(LEAVING, max_size=30) | st.lists(JOINING, max_size=30)
    for kind in KINDS
}


@given(
    moving=st.sampled_from(list(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), MOVES[kind])),
    declared=st.sampled_from(["total", "total in a header"]),
    size=st.none() | st.integers(1, 7),
    cap=st.integers(1, 7),
    count=st.integers(0, 30),
    kills=st.lists(st.integers(1, 3), max_size=5),
)
@example(moving=("link", [leaving(0.0)]), declared="total", size=2, cap=2, count=2, kills=[])
@example(moving=("link", [leaving(0.0)] * 3), declared="total", size=4, cap=4, count=4, kills=[])
def test_of_what_stays_nothing_is_missed_while_others_come_and_go(
    moving: tuple[str, list[Callable[[list[int]], None]]],
    declared: str,
    size: int | None,
    cap: int,
    count: int,
    kills: list[int],
) -> None:
    kind, events = moving
    pages = KINDS[kind] | DECLARED[declared]
    if size is not None:
        pages |= {"size": {"parameter": "n", "value": size}}
    begun = [1000 * number for number in range(1, count + 1)]
    source = Moving(list(begun), cap, pages.get("first", 1), iter(events))
    came = read(source, pages, kills)
    assert set(ids(came)) >= set(begun) & set(source.listed)


@given(
    kind=st.sampled_from(["number from 0", "number from 1", "offset"]),
    cap=st.integers(1, 7),
    count=st.integers(1, 30),
    kills=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    share=SHARES,
)
def test_a_position_without_total_is_not_taken_up_when_records_left_before_it(
    kind: str, cap: int, count: int, kills: list[int], share: float
) -> None:
    pages = KINDS[kind]
    moving = Moving(list(range(1, count + 1)), cap, first=pages.get("first", 1))
    with opened(moving, pages) as source:
        reading = source.pages("items", ALL)
        came = list(islice(reading, kills[0]))
        reading.close()  # type: ignore[attr-defined]
        leaving(share)(moving.listed)
        if came[-1].next is not None:
            came += source.pages("items", ALL, came[-1].next)
            assert set(ids(came)) >= set(moving.listed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_asked_for_only_where_the_connector_says_so(kind: str) -> None:
    asked: list[Asked] = []
    moving = Moving([1, 2, 3], cap=2, first=KINDS[kind].get("first", 1))

    def noting(request: Asked) -> Reply:
        asked.append(request)
        return moving(request)

    with Source(
        connector(KINDS[kind]), Connection("http://127.0.0.1:1"), transport=lambda _inner: Carrier(noting)
    ) as source:
        assert ids(list(source.pages("items", ALL))) == [1, 2, 3]
    assert "n" not in asked[0].query
