"""No change is lost between a snapshot and the changes after it, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.connect.page import Page
from oncehub.connect.stream.window import Window

from ..changing import BEGUN, BY_SEQUENCE, BY_TIME, MINUTE, Changing, Entry, connector, place, read

SNAPSHOT = {"snapshot": place("/snapshot")}
BY_NUMBER = {
    "changes": BY_SEQUENCE,
    "snapshot": place("/snapshot") | {"watermark": {"path": "/position", "value": "no"}},
}
FLAG = {"deletes": {"kind": "flag", "field": "gone", "equals": True}}
STREAMS: dict[str, dict[str, Any]] = {
    "time": place("/changes") | {"changes": BY_TIME} | SNAPSHOT | FLAG,
    "sequence": place("/changes") | BY_NUMBER | FLAG,
    "time, deletions apart": place("/items")
    | {"changes": BY_TIME, "deletes": place("/deleted") | {"kind": "stream"}}
    | SNAPSHOT,
    "sequence, deletions apart": place("/items")
    | BY_NUMBER
    | {"deletes": place("/deleted") | {"kind": "stream"}},
}
Event = Callable[[Changing], None]


def stating(key: int) -> Event:
    return lambda source: source.state(key)


def deleting(key: int) -> Event:
    def event(source: Changing) -> None:
        if key in source.entries:
            source.state(key, deleted=True)

    return event


KEYS = st.integers(0, 9)
EVENTS = st.lists(st.builds(stating, KEYS) | st.builds(deleting, KEYS), max_size=12)
KILLS = st.lists(st.integers(1, 3), max_size=6)


def shown(pages: list[Page]) -> dict[int, Entry]:
    """What a reader knows who lets each record's latest statement decide."""
    known: dict[int, dict[str, Any]] = {}
    for page in pages:
        for record in page.records:
            if record["no"] >= known.get(record["id"], record)["no"]:
                known[record["id"]] = record
    return {key: record["no"] for key, record in known.items() if not record["gone"]}


def living(source: Changing) -> dict[int, int]:
    return {entry.id: entry.no for entry in source.living()}


def first_window(kind: str, source: Changing) -> Window:
    return Window(None, source.now()) if kind.startswith("time") else Window(None, None)


@given(
    kind=st.sampled_from(list(STREAMS)),
    size=st.integers(1, 4),
    before=EVENTS,
    after_dump=st.none() | EVENTS,
    meanwhile=EVENTS,
    kills=KILLS,
)
def test_a_snapshot_and_its_changes_have_all_that_was_true_when_the_read_began(
    kind: str,
    size: int,
    before: list[Event],
    after_dump: list[Event] | None,
    meanwhile: list[Event],
    kills: list[int],
) -> None:
    source = Changing(size)
    for event in before:
        event(source)
    if after_dump is not None:
        source.make_dump()
        for event in after_dump:
            event(source)
    source.minutes += 1
    truth = living(source)
    window = first_window(kind, source)
    source.events = iter(meanwhile)
    pages = read(source, connector({"items": STREAMS[kind]}), "items", window, kills)
    later = {key for key, entry in source.entries.items() if entry.no > max(truth.values(), default=0)}
    known = shown(pages)
    assert {key: no for key, no in truth.items() if source.entries[key].no == no} == {
        key: no for key, no in known.items() if key in truth and source.entries[key].no == truth[key]
    }
    assert set(known) <= set(truth) | later


@pytest.mark.parametrize("kind", STREAMS)
def test_what_changes_while_the_snapshot_is_read_comes_after_it(kind: str) -> None:
    source = Changing(2)
    for key in range(6):
        source.state(key)
    window = first_window(kind, source)
    source.events = iter([stating(9), stating(0), deleting(5)])
    pages = read(source, connector({"items": STREAMS[kind]}), "items", window)
    source.events = iter(())
    assert shown(pages) == living(source)


def test_the_phases_come_in_order_and_count_on() -> None:
    source = Changing(2)
    for key in range(3):
        source.state(key)
    source.state(2, deleted=True)
    stream = STREAMS["sequence, deletions apart"]
    pages = read(source, connector({"items": stream}), "items", Window(None, None))
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.of_snapshot for page in pages] == [True, False, False]
    assert [page.kind for page in pages] == ["records", "records", "deletions"]
    assert [page.watermark for page in pages] == [4, None, None]
    assert [page.total for page in pages] == [2, 4, 5]
    assert [asked.path for asked in source.asked] == ["/position", "/snapshot", "/items", "/deleted"]


def test_a_read_of_changes_takes_no_snapshot() -> None:
    source = Changing()
    source.state(1)
    pages = read(source, connector({"items": STREAMS["sequence"]}), "items", Window(0, None))
    assert [asked.path for asked in source.asked] == ["/changes"]
    assert [page.of_snapshot for page in pages] == [False]


def test_deletions_are_asked_for_with_the_window_of_the_records() -> None:
    source = Changing()
    source.state(1, deleted=True)
    window = Window(BEGUN, BEGUN + 5 * MINUTE)
    read(source, connector({"items": STREAMS["time, deletions apart"]}), "items", window)
    first, second = source.asked
    assert (first.path, second.path) == ("/items", "/deleted")
    assert first.query == second.query
    assert set(first.query) == {"since", "until"}


def test_changes_are_replayed_from_the_latest_statement_of_an_old_dump() -> None:
    source = Changing()
    source.state(1)
    source.make_dump()
    source.minutes += 600
    source.state(2)
    source.minutes += 600
    pages = read(source, connector({"items": STREAMS["time"]}), "items", Window(None, source.now()))
    assert shown(pages) == living(source)
    assert source.asked[-1].query["since"] == (BEGUN + MINUTE - 10 * MINUTE).isoformat().replace(
        "+00:00", "Z"
    )


def test_a_statement_from_the_future_does_not_hide_how_old_a_dump_is() -> None:
    source = Changing()
    source.state(1)
    source.entries[7] = Entry(7, 0, BEGUN + 10**6 * MINUTE)
    source.make_dump()
    source.minutes += 600
    source.state(2)
    source.minutes += 600
    pages = read(source, connector({"items": STREAMS["time"]}), "items", Window(None, source.now()))
    assert 2 in shown(pages)


def test_after_a_snapshot_without_numbers_changes_are_replayed_from_the_watermark() -> None:
    source = Changing()
    for key in range(5):
        source.state(key)
    stream = STREAMS["sequence"] | {"changes": BY_SEQUENCE | {"field": "elsewhere"}}
    read(source, connector({"items": stream}), "items", Window(None, None))
    assert source.asked[-1].query["after"] == str(5 - 2)


def test_after_an_empty_snapshot_all_changes_are_asked_for() -> None:
    for kind in ("time", "sequence"):
        source = Changing()
        source.dump = []
        source.state(1)
        source.minutes += 1
        pages = read(source, connector({"items": STREAMS[kind]}), "items", first_window(kind, source))
        assert 1 in shown(pages)
        assert "since" not in source.asked[-1].query
        assert source.asked[-1].query.get("after", "0") == "0"
