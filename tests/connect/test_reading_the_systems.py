"""The five simulated systems, each read to the end by its shipped connector over real HTTP."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from oncehub.config.connector import Connector
from oncehub.connect.page import Page
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import RequestRefused, SourceUnavailable, Throttled
from stubs.client import Systems
from stubs.world import World

from .conftest import CONNECTORS, Pauses, real_connection, real_connector, stored

ALL = Window(None, None)
SOURCES = ("population", "portal", "tax", "customs", "banking")
JSON_STREAMS = (
    ("population", "citizens", 150),
    ("portal", "accounts", 100),
    ("portal", "dossiers", 40),
    ("tax", "registrations", 120),
    ("banking", "accounts", 90),
)
Open = Callable[..., Source]


@pytest.fixture(scope="module")
def world() -> World:
    """The world that `systems` serves."""
    return World.generate(2000, 1)


def expected(frame: pl.DataFrame) -> list[Any]:
    """Rows as they stand on the wire."""
    wire = frame.select(pl.exclude("^_.*$")).to_dicts()
    return [row if raw is None else json.loads(raw) for row, raw in zip(wire, frame["_raw"], strict=True)]


def records(pages: list[Page]) -> list[Any]:
    return [record for page in pages for record in page.records]


def test_every_source_has_its_connector() -> None:
    loaded = [Connector.load(CONNECTORS / source / "connector.yaml") for source in SOURCES]
    assert tuple(connector.source for connector in loaded) == SOURCES
    assert len({connector.schedule for connector in loaded}) == len(SOURCES)


@pytest.mark.parametrize(("source", "stream", "size"), JSON_STREAMS)
def test_a_full_read_gives_all_live_records(
    source: str, stream: str, size: int, world: World, open_real: Open
) -> None:
    pages = list(open_real(source, size=size).pages(stream, ALL))
    assert records(pages) == expected(world.frame(source, stream).filter(~pl.col("_deleted")))
    assert len(pages) > 3


@pytest.mark.parametrize(("source", "stream", "size"), JSON_STREAMS)
def test_a_window_gives_what_changed_within_it_deletions_included(
    source: str, stream: str, size: int, world: World, open_real: Open
) -> None:
    frame = world.frame(source, stream)
    since, until = (instant(frame, share) for share in (0.5, 0.9))
    within = frame.filter(pl.col("_updated_at") >= since, pl.col("_updated_at") < until)
    read = records(list(open_real(source, size=size).pages(stream, Window(since, until))))
    gone = within["_deleted"].to_list()
    if source == "population":
        tombstone = {"DaXoa": True}
        assert [record.get("DaXoa", False) for record in read] == gone
        read = [record for record in read if record.items().isdisjoint(tombstone.items())]
        within = within.filter(~pl.col("_deleted"))
    assert read == expected(within)
    assert within.height


def instant(frame: pl.DataFrame, share: float) -> datetime:
    """The whole second of a record's update, that far into the stream."""
    moment: datetime = frame["_updated_at"][int(frame.height * share)]
    return moment.replace(microsecond=0)


@pytest.mark.parametrize(("source", "stream", "size"), JSON_STREAMS)
def test_a_read_goes_on_in_another_process(source: str, stream: str, size: int, open_real: Open) -> None:
    whole = list(open_real(source, size=size).pages(stream, ALL))
    for index in (0, len(whole) - 2):
        state = stored(whole[index].next)
        rest = list(open_real(source, size=size).pages(stream, ALL, state))
        assert records(rest) == records(whole[index + 1 :])
        assert rest[0].number == index + 2


def test_the_customs_files_come_composed_and_whole(world: World, open_real: Open) -> None:
    pages = list(open_real("customs").pages("declarants", ALL))
    live = world.frame("customs", "declarants").filter(~pl.col("_deleted"))
    read = records(pages)
    assert [record["MA_NGUOI_KHAI"] for record in read] == live["_key"].to_list()
    plain = live.filter(pl.col("_raw").is_null())
    names = dict(plain.select("_key", "TEN").iter_rows())
    reported = {record["MA_NGUOI_KHAI"]: record["TEN"] for record in read}
    assert {key: reported[key] for key in names} == {
        key: unicodedata.normalize("NFC", name) for key, name in names.items()
    }
    assert any(not name.isascii() for name in names.values())
    assert all(isinstance(value, str) for record in read for value in record.values())
    assert pages[0].total == len(read)


FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 429, "retry_after": 3},
    {"kind": "status", "status": 429, "retry_after": "http-date"},
    {"kind": "truncate"},
    {"kind": "nonsense"},
    {"kind": "drop"},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(str(part) for part in fault.values()))
@pytest.mark.parametrize(
    ("source", "stream"),
    [
        ("population", "citizens"),
        ("portal", "accounts"),
        ("tax", "registrations"),
        ("customs", "declarants"),
        ("banking", "accounts"),
    ],
)
def test_passing_faults_lose_and_repeat_nothing(
    source: str, stream: str, fault: dict[str, Any], systems: Systems, open_real: Open
) -> None:
    reader = open_real(source, size=400)
    whole = records(list(reader.pages(stream, ALL)))
    systems.faults(source, **fault, after=1, count=2)
    assert records(list(reader.pages(stream, ALL))) == whole


def test_what_came_before_a_lasting_fault_is_kept(systems: Systems, open_real: Open, pauses: Pauses) -> None:
    systems.faults("tax", "status", status=503, after=2, count=50)
    pages = open_real("tax", size=100, attempts=2).pages("registrations", ALL)
    first, second = next(pages), next(pages)
    with pytest.raises(SourceUnavailable, match=r"^tax\.registrations: page 3: answered 503; tried 2 times$"):
        next(pages)
    systems.clear_faults()
    rest = list(open_real("tax", size=100).pages("registrations", ALL, second.next))
    assert records([first, second, *rest]) == records(
        list(open_real("tax", size=100).pages("registrations", ALL))
    )
    assert len(pauses.seconds) == 1


def test_a_system_that_asks_for_an_hour_is_left_alone(systems: Systems, open_real: Open) -> None:
    systems.faults("portal", "status", status=429, retry_after=3600)
    with pytest.raises(Throttled) as asked:
        list(open_real("portal").pages("accounts", ALL))
    assert asked.value.retry_after == 3600


def test_a_cursor_that_the_register_does_not_know_is_refused(open_real: Open) -> None:
    reader = open_real("population", size=150)
    state = next(iter(reader.pages("citizens", ALL))).next
    assert state is not None
    state = stored(state)
    state["page"]["token"] = "bm9uc2Vuc2U"
    with pytest.raises(RequestRefused, match=r"population\.citizens: page 2: answered 400"):
        list(reader.pages("citizens", ALL, state))


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """Systems of this module's own, to be advanced."""
    with Systems.start(tmp_path_factory.mktemp("moving"), 6000, seed=3, calm=True, timeout=120) as running:
        yield running


def test_a_read_that_a_new_day_interrupts_misses_no_person(moving: Systems) -> None:
    """A listing by position is read anew; one by token goes on, and what changed stands at its end."""
    interrupted: dict[str, tuple[str, list[Page]]] = {}
    streams = {"population": "citizens", "portal": "accounts", "tax": "registrations", "banking": "accounts"}
    for source, stream in streams.items():
        with Source(real_connector(source, size=300), real_connection(moving, source)) as reader:
            pages = reader.pages(stream, ALL)
            interrupted[source] = stream, [next(pages), next(pages)]
            pages.close()  # type: ignore[attr-defined]
    moving.advance(3)
    for source, (stream, before) in interrupted.items():
        with Source(real_connector(source, size=300), real_connection(moving, source)) as reader:
            rest = list(reader.pages(stream, ALL, before[-1].next))
            whole = list(reader.pages(stream, ALL))
        anew = rest[0].number == 1
        read = records(rest) if anew else records([*before, *rest])
        key = real_connector(source).streams[stream].key[0]
        assert {record[key] for record in read} >= {record[key] for record in records(whole)}
        assert anew == (source in {"portal", "tax"})


def test_a_snapshot_that_a_new_night_replaces_is_read_anew(moving: Systems) -> None:
    with Source(real_connector("customs"), real_connection(moving, "customs")) as reader:
        pages = reader.pages("declarants", ALL)
        first = next(pages)
        pages.close()  # type: ignore[attr-defined]
        moving.advance(1)
        assert first.next is not None
        rest = list(reader.pages("declarants", ALL, first.next))
        assert rest[0].number == 1
        assert rest == list(reader.pages("declarants", ALL))
