"""ChildReader are read once a parent, and whatever parents do meanwhile, none that was there is missed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oncehub.connect.page import Page
from oncehub.connect.stream import children
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError, ContractBroken, RequestRefused, Throttled

from ..changing import BEGUN, BY_SEQUENCE, BY_TIME, MINUTE, Changing, connector, opened, place, read
from ..serving import Asked, Reply, as_json

ALL = Window(None, None)
FLAG = {"deletes": {"kind": "flag", "field": "gone", "equals": True}}
PARENTS: dict[str, dict[str, Any]] = {
    "known by nothing": place("/items"),
    "known by time": place("/items") | {"changes": BY_TIME},
    "known by sequence": place("/items") | {"changes": BY_SEQUENCE},
    "with deletions": place("/changes") | {"changes": BY_TIME} | FLAG,
    "in a snapshot": place("/changes") | {"changes": BY_TIME, "snapshot": place("/snapshot")} | FLAG,
}
CHILDREN = place("/children/{key}") | {
    "key": ["child"],
    "parent": {"stream": "items", "take": {"key": "id"}},
}


def of(parents: dict[str, Any], **changed: Any) -> Any:
    child = (
        CHILDREN | {"parent": CHILDREN["parent"] | {"of": "changed"}} if changed.pop("of", 0) else CHILDREN
    )
    return connector({"items": parents, "papers": child | changed})


def source_of(families: dict[int, list[int]], size: int = 3) -> Changing:
    source = Changing(size, children=families)
    for key in families:
        source.state(key)
    source.minutes += 1
    return source


def pairs(pages: list[Page]) -> list[tuple[int, int]]:
    return [(record["parent"]["key"], record["child"]) for page in pages for record in page.records]


def truth(source: Changing, keys: set[int]) -> set[tuple[int, int]]:
    return {(key, child) for key in keys for child in source.children.get(key, [])}


@pytest.mark.parametrize("kind", PARENTS)
def test_the_children_of_every_parent_come_with_it(kind: str) -> None:
    source = source_of({1: [10, 11], 2: [], 3: [30, 31, 32, 33], 4: [40]})
    pages = read(source, of(PARENTS[kind]), "papers", ALL)
    # Parents that a snapshot and the replay after it both list are asked twice.
    once = list(dict.fromkeys(pairs(pages)))
    assert once == [(1, 10), (1, 11), (3, 30), (3, 31), (3, 32), (3, 33), (4, 40)]
    assert kind == "in a snapshot" or once == pairs(pages)
    assert [page.number for page in pages] == [1]
    assert pages[0].next is None


def test_parents_without_any_children_are_one_empty_page() -> None:
    pages = read(source_of({1: [], 2: []}), of(PARENTS["known by nothing"]), "papers", ALL)
    assert [(page.records, page.next, page.number) for page in pages] == [([], None, 1)]


@pytest.mark.parametrize("kind", ["with deletions", "in a snapshot"])
def test_parents_that_are_deleted_are_not_asked(kind: str) -> None:
    source = source_of({1: [10], 2: [20]})
    source.state(2, deleted=True)
    source.minutes += 1
    assert set(pairs(read(source, of(PARENTS[kind]), "papers", ALL))) == {(1, 10)}
    assert "/children/2" not in [asked.path for asked in source.asked]


def test_a_parent_that_is_gone_has_no_children(caplog: pytest.LogCaptureFixture) -> None:
    source = source_of({1: [10], 234567: [20], 3: [30]})
    source.erased = {234567}
    with caplog.at_level(logging.INFO):
        pages = read(source, of(PARENTS["known by nothing"]), "papers", ALL)
    assert pairs(pages) == [(1, 10), (3, 30)]
    assert "tax.papers: 3 parents asked, of which 1 were gone" in caplog.text
    assert "234567" not in caplog.text


def test_any_other_refusal_ends_the_read_without_naming_the_parent() -> None:
    source = source_of({1: [10], 234567: [20]})
    answer = source._answer
    source._answer = (  # type: ignore[method-assign]
        lambda asked: Reply(status=400) if asked.path == "/children/234567" else answer(asked)
    )
    with pytest.raises(RequestRefused, match=r"^tax\.papers of parent 2 on page 1: page 1: answered 400;"):
        read(source, of(PARENTS["known by nothing"]), "papers", ALL)


def test_a_source_that_asks_to_wait_for_a_day_is_left_at_once() -> None:
    source = source_of({key: [key] for key in range(20)})
    answer = source._answer
    source._answer = (  # type: ignore[method-assign]
        lambda asked: (
            Reply(status=429, headers={"Retry-After": "86400"}) if "children" in asked.path else answer(asked)
        )
    )
    with (
        opened(source, of(PARENTS["known by nothing"]), pause=None) as reader,
        pytest.raises(Throttled) as asked_for,
    ):
        list(reader.pages("papers", ALL))
    # Of all that were asking, one heard the source itself, the others what is left of the hour.
    assert asked_for.value.retry_after > 3000


@pytest.mark.parametrize("bad", [None, "", ".", "..", True, 1.5, {"a": 1}])
def test_a_parent_that_cannot_be_asked_with_is_left_out_unless_absence_would_delete(bad: Any) -> None:
    source = source_of({1: [10]})
    answer = source._answer

    def with_bad(asked: Asked) -> Reply:
        return as_json({"items": [{"id": bad}, {"id": 1}]}) if asked.path == "/items" else answer(asked)

    source._answer = with_bad  # type: ignore[method-assign]
    assert pairs(read(source, of(place("/items") | {"pages": {"kind": "none"}}), "papers", ALL)) == [(1, 10)]
    sweeping = of(place("/items") | {"pages": {"kind": "none"}}, deletes={"kind": "absence"})
    with pytest.raises(ContractBroken, match=r"a parent lacks what `parent\.take` names"):
        read(source, sweeping, "papers", ALL)


def test_what_is_taken_is_quoted_into_path_and_query() -> None:
    source = source_of({})
    key = "a/../b?c=d&{key}"
    source._answer = (  # type: ignore[method-assign]
        lambda asked: as_json({"items": [{"id": key}] if asked.path == "/items" else [{"child": 1}]})
    )
    child = {
        "read": {"format": "json", "path": "/children/{key}", "records": "items", "query": {"of": "<{key}>"}},
        "pages": {"kind": "none"},
    }
    parents = place("/items") | {"pages": {"kind": "none"}}
    pages = read(source, of(parents, **child), "papers", ALL)
    asked = source.asked[-1]
    assert asked.path.startswith("/children/a%2F")
    assert unquote(asked.path.removeprefix("/children/")) == key
    assert asked.query == {"of": f"<{key}>"}
    assert pages[0].records == [{"child": 1, "parent": {"key": key}}]


def test_small_answers_are_gathered_and_large_ones_are_not_delayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(children, "RECORDS", 4)
    source = source_of({1: [1, 2], 2: [3], 3: list(range(10, 19)), 4: [20]}, size=3)
    pages = read(source, of(PARENTS["known by nothing"]), "papers", ALL)
    assert [len(page.records) for page in pages] == [6, 6, 1]
    assert [page.number for page in pages] == [1, 2, 3]


def test_many_parents_without_children_leave_checkpoints_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "RESPONSES", 4)
    source = source_of({key: [] for key in range(10)}, size=3)
    pages = read(source, of(PARENTS["known by nothing"]), "papers", ALL)
    assert [len(page.records) for page in pages] == [0, 0, 0]
    assert pages[0].next is not None


def test_a_look_at_children_asks_for_those_of_few_parents_only() -> None:
    source = source_of({key: [key] for key in range(1, 400)}, size=500)
    with opened(source, of(PARENTS["known by nothing"])) as reader:
        first = next(reader.pages("papers", ALL))
    assert len(first.records) == children.RESPONSES
    # The page after it is fetched ahead, and no other.
    assert len([asked for asked in source.asked if "children" in asked.path]) < 3 * children.RESPONSES


def test_children_are_asked_for_with_their_own_window() -> None:
    source = source_of({1: [10]})
    window = Window(BEGUN, BEGUN + MINUTE)
    read(source, of(PARENTS["known by nothing"], changes=BY_TIME), "papers", window)
    by_path = {asked.path: asked.query for asked in source.asked}
    assert set(by_path["/children/1"]) == {"since", "until"}
    assert by_path["/items"] == {}


def test_children_of_changed_parents_follow_their_parents_window() -> None:
    source = source_of({1: [10], 2: [20], 3: [30]})
    since = BEGUN + 2 * MINUTE
    pages = read(source, of(PARENTS["known by time"], of=True), "papers", Window(since, source.now()))
    assert pairs(pages) == [(2, 20), (3, 30)]
    assert all(asked.query.keys() == set() for asked in source.asked if "children" in asked.path)


def test_a_window_of_changed_parents_is_of_their_kind() -> None:
    with (
        opened(source_of({}), of(PARENTS["known by sequence"], of=True)) as reader,
        pytest.raises(ConfigError, match="knows its changes by sequence numbers"),
    ):
        reader.pages("papers", Window(BEGUN, None))


def test_pages_of_children_state_the_sequence_of_their_changed_parents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(children, "RECORDS", 2)
    source = source_of({key: [10 * key, 10 * key + 1] for key in range(1, 5)}, size=2)
    pages = read(source, of(PARENTS["known by sequence"], of=True), "papers", Window(0, None))
    assert [page.watermark for page in pages] == [2, 2, 4, 4, 4]


def test_no_parents_changed_leaves_the_cursor_of_their_children() -> None:
    source = source_of({1: [10]})
    pages = read(source, of(PARENTS["known by sequence"], of=True), "papers", Window(1, None))
    assert [(page.records, page.watermark) for page in pages] == [([], None)]


KEYS = st.integers(0, 7)
Event = tuple[int, bool]
"""A parent's key, and whether it is deleted rather than stated anew."""


def happening(event: Event) -> Callable[[Changing], None]:
    key, deleted = event

    def happen(source: Changing) -> None:
        source.children.setdefault(key, [])
        if not deleted or key in source.entries:
            source.state(key, deleted=deleted)

    return happen


@given(
    kind=st.sampled_from(list(PARENTS)),
    size=st.integers(1, 4),
    page=st.integers(1, 6),
    families=st.dictionaries(KEYS, st.lists(st.integers(0, 99), max_size=6, unique=True), max_size=8),
    meanwhile=st.lists(st.tuples(KEYS, st.booleans()), max_size=12),
    kills=st.lists(st.integers(1, 3), max_size=6),
)
@example(
    kind="in a snapshot",
    size=2,
    page=1,
    families={4: [], 0: [], 2: []},
    meanwhile=[(1, False), (4, True)],
    kills=[],
)
def test_of_parents_that_stay_no_child_is_missed(
    kind: str,
    size: int,
    page: int,
    families: dict[int, list[int]],
    meanwhile: list[Event],
    kills: list[int],
) -> None:
    usual = children.RECORDS, children.RESPONSES
    children.RECORDS = children.RESPONSES = page
    try:
        source = source_of({key: sorted(found) for key, found in families.items()}, size)
        source.events = map(happening, meanwhile)
        pages = read(source, of(PARENTS[kind]), "papers", ALL, kills)
    finally:
        children.RECORDS, children.RESPONSES = usual
    stayed = set(families) - {key for key, deleted in meanwhile if deleted}
    came = pairs(pages)
    assert set(came) >= truth(source, stayed)
    assert set(came) <= truth(source, set(source.children))
    if not meanwhile and kind != "in a snapshot":
        assert len(came) == len(set(came))
        assert [each.number for each in pages] == list(range(1, len(pages) + 1))
