"""Backfills: a bounded window of their own, beside the live reading and without its cursor."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError, RunBusy
from oncehub.intake.runs.backfill import window_asked
from oncehub.intake.runs.stream_locks import lock_for_landing
from oncehub.store.connection import connect

from ..conftest import START, Killed, killing
from ..register import ABSENCE, BY_SEQUENCE, BY_TIME

DAY = timedelta(days=1)
WEEK = Window(START, START + 7 * DAY)


@pytest.fixture
def land(new_land):
    land = new_land(changes=BY_TIME)
    for day, key in enumerate("abcdefgh"):
        land.register.state(key, START + day * DAY, f"An {key}")
    return land


def modes(land) -> list[tuple[str, str, str | None]]:
    return [(mode, state, error) for _, mode, state, _, error in land.runs()]


def test_a_window_is_read_once_more_and_the_cursor_stays(land) -> None:
    land.take()
    cursor = land.cursor()
    land.query("delete from intake.record_state returning 1")
    land.query("delete from record.person returning 1")
    report = land.take(backfill=Window(START + DAY, START + 3 * DAY))
    assert (report.mode, report.read, report.done) == ("backfill", 2, True)
    assert report.window == Window(START + DAY, START + 3 * DAY)
    assert "".join(land.living()) == "bc"
    assert land.cursor() == cursor


def test_a_backfill_before_the_first_read_leaves_that_one_to_read_everything(land) -> None:
    land.take(backfill=WEEK)
    assert land.cursor() == []
    assert land.take().mode == "full"
    assert len(land.living()) == 8


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_killed_backfill_goes_on_where_it_was_when_asked_for_the_same_window(land, pages) -> None:
    with pytest.raises(Killed):
        land.take(backfill=WEEK, report=killing(pages))
    live = land.take()
    report = land.take(backfill=WEEK)
    assert (report.read, report.pages, report.done) == (7, 4, True)
    assert report.run_id < live.run_id
    assert land.query("select * from intake.checkpoint") == []


def test_another_window_gives_the_unfinished_one_up(land) -> None:
    with pytest.raises(Killed):
        land.take(backfill=WEEK, report=killing(2))
    other = Window(START, START + 2 * DAY)
    assert land.take(backfill=other).read == 2
    assert land.take(backfill=WEEK).read == 7
    assert modes(land) == [
        ("backfill", "failed", "given up for another window"),
        ("backfill", "succeeded", None),
        ("backfill", "succeeded", None),
    ]


def test_a_live_read_that_was_killed_and_a_backfill_do_not_take_each_other_up(land) -> None:
    with pytest.raises(Killed):
        land.take(report=killing(2))
    assert land.take(backfill=WEEK).read == 7
    assert land.cursor() == []
    live = land.take()
    assert (live.run_id, live.mode, live.read) == (1, "full", 8)


def test_a_backfill_runs_while_the_stream_is_read(land) -> None:
    def beside(phase: str, number: int) -> None:
        if number == 2:
            land.register.before = lambda phase, number: None
            assert land.take(backfill=WEEK).accepted == 5

    land.register.before = beside
    assert (land.take().accepted, len(land.living())) == (3, 8)


def test_two_backfills_of_a_stream_do_not_run_at_once(land) -> None:
    def beside(phase: str, number: int) -> None:
        land.register.before = lambda phase, number: None
        with pytest.raises(RunBusy, match=r"land\.holders is being backfilled"):
            land.take(backfill=WEEK)

    land.register.before = beside
    assert land.take(backfill=WEEK).done


def test_a_page_waits_until_another_reader_has_landed_its_own(land) -> None:
    """Else both would look up what is held before either has written."""
    waiting = "select count(*) from pg_stat_activity where wait_event = 'advisory'"
    other = connect(land.settings.database_url)
    with ThreadPoolExecutor() as pool, closing(other):
        lock_for_landing(other, "land.holders")
        live = pool.submit(land.take)
        while not live.done() and land.query(waiting) == [(0,)]:
            time.sleep(0.01)
        assert land.query("select count(*) from intake.record_state") == [(0,)]
        other.commit()
        assert live.result().accepted == 8


def test_an_older_statement_that_a_backfill_brings_does_not_overwrite(land) -> None:
    land.register.state("a", START + 9 * DAY, "An a, later")
    land.take()
    land.take(backfill=WEEK)
    assert land.living()["a"] == "An a, later"


def test_a_backfill_by_sequence_reads_the_numbers_asked_for(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE)
    for day, key in enumerate("abcdefgh"):
        land.register.state(key, START + day * DAY, f"An {key}")
    assert land.take(backfill=Window(3, 6)).read == 3
    assert ("".join(land.living()), land.cursor()) == ("cde", [])


@pytest.mark.parametrize(
    ("window", "wrong"),
    [
        (Window(START, None), "both bounds"),
        (Window(None, START), "both bounds"),
        (Window(START, START), "since must be before until"),
        (Window(START + DAY, START), "since must be before until"),
        (Window(3, 5), "lists its changes by times"),
    ],
)
def test_a_window_that_cannot_be_asked_for_is_refused_before_anything_is_read(land, window, wrong) -> None:
    with pytest.raises(ConfigError, match=wrong):
        land.take(backfill=window)
    assert (land.register.asked, land.runs()) == ([], [])


def test_a_backfill_is_no_full_read(land) -> None:
    with pytest.raises(ConfigError, match="cannot be full"):
        land.take(backfill=WEEK, full=True)


def test_a_stream_that_knows_no_changes_has_no_windows(new_land) -> None:
    land = new_land(deletes=ABSENCE)
    land.register.state("a", START, "An a")
    with pytest.raises(ConfigError, match=r"land\.holders lists no changes"):
        land.take(backfill=WEEK)


def test_times_are_of_vietnam_unless_they_say_otherwise(land) -> None:
    window = window_asked(land.land, "holders", "2026-01-31", "2026-02-01T12:30+09:00")
    assert window == Window(datetime(2026, 1, 30, 17, tzinfo=UTC), datetime(2026, 2, 1, 3, 30, tzinfo=UTC))


def test_numbers_are_read_where_changes_are_numbered(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE).land
    assert window_asked(land, "holders", "10", "20") == Window(10, 20)
    with pytest.raises(ConfigError, match="until is not a sequence number"):
        window_asked(land, "holders", "10", "2026-02-01")


@pytest.mark.parametrize("empty", [None, ""])
def test_no_bounds_are_no_window(land, empty) -> None:
    assert window_asked(land.land, "holders", empty, empty) is None


@pytest.mark.parametrize(
    ("since", "until", "wrong"),
    [
        ("2026-01-31", None, "both bounds"),
        ("", "2026-01-31", "both bounds"),
        ("yesterday", "2026-01-31", "since is not a time"),
        ("2026-01-31", "2026-01-31", "since must be before until"),
    ],
)
def test_bounds_that_make_no_window_are_named(land, since, until, wrong) -> None:
    with pytest.raises(ConfigError, match=wrong):
        window_asked(land.land, "holders", since, until)
