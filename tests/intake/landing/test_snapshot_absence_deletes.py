"""Snapshots with changes after them: what came in between is never taken for absent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oncehub.connect.stream.window import Window

from ..conftest import START, Killed, killing
from ..register import ABSENCE, BY_TIME, SNAPSHOT

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def land(new_land):
    """Ten records of ten days, read once."""
    land = new_land(changes=BY_TIME, snapshot=SNAPSHOT, deletes=ABSENCE)
    for day, key in enumerate("abcdefghij"):
        land.register.state(key, START + day * DAY, f"An {key}")
    land.take()
    return land


def keys(land) -> str:
    return "".join(sorted(land.living()))


def test_a_first_read_takes_the_snapshot_and_a_later_one_the_changes(land) -> None:
    assert [mode for _, mode, *_ in land.runs()] == ["full"]
    assert land.take().mode == "changes"
    assert land.cursor() == [(START + 9 * DAY, None)]


def test_what_a_full_read_lacks_is_deleted(land) -> None:
    land.register.state("c", START + 20 * DAY, None, deleted=True)
    assert land.take().deleted == 0
    assert land.take(full=True).deleted == 1
    assert keys(land) == "abdefghij"


def test_what_was_stated_after_the_snapshot_was_made_is_not_absent_from_it(land) -> None:
    land.register.dump = land.register.alive()
    land.register.state("k", START + 10 * DAY, "An k")
    land.register.state("l", START + 11 * DAY, "An l")
    land.register.state("c", START + 11 * DAY, None, deleted=True)
    land.take()
    assert keys(land) == "abcdefghijkl"
    # Long after, so that the changes since its window say nothing of k and l either.
    report = land.take(full=True, clock=lambda: START + 40 * DAY)
    assert (report.mode, report.deleted) == ("full", 0)
    assert keys(land) == "abcdefghijkl"
    land.register.dump = None
    land.take(full=True)
    assert keys(land) == "abdefghijkl"


def test_what_may_have_committed_after_the_snapshot_is_not_absent_from_it(land) -> None:
    land.register.state("k", START + 9 * DAY - HOUR / 2, "An k, late")
    land.take(backfill=Window(START, START + 30 * DAY))
    land.register.dump = [each for each in land.register.alive() if each.key != "k"]
    assert land.take(full=True).deleted == 0
    assert "k" in keys(land)


def test_a_snapshot_without_any_record_says_nothing_of_the_others(land) -> None:
    land.register.dump = []
    assert land.take(full=True).deleted == 0
    assert keys(land) == "abcdefghij"


@pytest.mark.parametrize("pages", range(1, 7))
def test_killed_in_any_phase_and_taken_up_a_day_later_nothing_that_lives_is_swept(land, pages) -> None:
    register, at = land.register, START + 30 * DAY
    register.state("c", at, None, deleted=True)

    def while_reading(phase: str, number: int) -> None:
        if (phase, number) == ("snapshot", 3) and len(register.history) == 11:
            # Keys before the place that was reached, behind it, and one that had been listed.
            for key in ("Z", "z", "a"):
                register.state(key, at + HOUR, f"An {key} in between")

    register.before = while_reading
    with pytest.raises(Killed):
        land.take(full=True, report=killing(pages), clock=lambda: at + 2 * HOUR)
    reports = land.takes(clock=lambda: at + 2 * DAY)
    assert [report.mode for report in reports] == ["full", "changes"]
    assert keys(land) == "Zabdefghijz"
    assert land.living()["a"] == "An a in between"
    assert land.query("select * from intake.seen") == []


def test_what_a_backfill_shows_beside_a_full_read_is_not_absent(land) -> None:
    """It was created behind the reader's place, and too late for the changes that the read asks for."""
    register, at = land.register, START + 30 * DAY

    def while_reading(phase: str, number: int) -> None:
        if (phase, number) == ("snapshot", 4):
            register.before = lambda phase, number: None
            register.state("A", START + 5 * DAY, "An A, stated late")
            land.take(backfill=Window(START, at))

    register.before = while_reading
    assert land.take(full=True, clock=lambda: at).deleted == 0
    assert "A" in keys(land)


def test_a_rejected_record_that_a_snapshot_no_longer_shows_is_resolved(land) -> None:
    land.register.state("k", START + 10 * DAY, "too long for the contract to agree")
    land.register.state("l", START + 11 * DAY, "too long for the contract to agree")
    land.register.state("m", START + 12 * DAY, "An m")
    land.take()
    assert land.open_rejections() == ["k", "l"]
    land.register.state("k", START + 20 * DAY, None, deleted=True)
    land.take(full=True)
    assert land.open_rejections() == ["l"]
