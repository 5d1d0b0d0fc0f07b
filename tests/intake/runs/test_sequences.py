"""Streams that number their changes: the cursor is the highest number seen in full."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oncehub.errors import ContractBroken

from ..conftest import START, Killed, killing
from ..register import ABSENCE, BY_SEQUENCE, BY_TIME, SNAPSHOT, TOMBSTONES, WATERMARK

WATCHED = SNAPSHOT | WATERMARK


def fill(land, keys: str) -> None:
    for day, key in enumerate(keys):
        land.register.state(key, START + timedelta(days=day), f"An {key}")


def test_the_next_read_asks_from_the_highest_number_seen_less_the_overlap(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE | {"overlap": 2})
    fill(land, "abcde")
    first = land.take()
    second = land.take()
    assert (first.mode, first.window.since, first.read) == ("full", None, 5)
    assert land.cursor() == [(None, 5)]
    assert (second.mode, second.window.since, second.window.until) == ("changes", 3, None)
    assert (second.read, second.accepted) == (3, 0)


def test_an_overlap_beyond_the_first_number_asks_from_none_below_nought(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE | {"overlap": 1000})
    fill(land, "ab")
    land.take()
    assert land.take().window.since == 0


def test_a_snapshot_counts_for_the_number_before_it_and_its_changes_follow(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE, snapshot=WATCHED)
    fill(land, "abcd")

    def while_reading(phase: str, number: int) -> None:
        if (phase, number) == ("snapshot", 2):
            land.register.state("a", START + timedelta(days=9), "An a, later")

    land.register.before = while_reading
    land.take()
    assert land.living() == {"a": "An a, later", "b": "An b", "c": "An c", "d": "An d"}
    assert land.cursor() == [(None, 5)]


def test_a_snapshot_without_changes_leaves_the_cursor_at_its_watermark(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE, snapshot=WATCHED, deletes=TOMBSTONES)
    fill(land, "ab")
    land.register.state("b", START + timedelta(days=9), None, deleted=True)
    land.take()
    assert land.cursor() == [(None, 3)]
    assert land.living() == {"a": "An a"}


@pytest.mark.parametrize("pages", [1, 2, 3, 4, 5])
def test_a_read_killed_in_any_phase_goes_on_there_and_ends_alike(new_land, pages) -> None:
    land = new_land(changes=BY_SEQUENCE, snapshot=WATCHED)
    fill(land, "abcd")

    def while_reading(phase: str, number: int) -> None:
        if (phase, number) == ("snapshot", 2) and len(land.register.history) < 7:
            for key in "aef":
                land.register.state(key, START + timedelta(days=9), f"{key} in between")

    land.register.before = while_reading
    with pytest.raises(Killed):
        land.take(report=killing(pages - 1) if pages > 1 else killing(1))
    finished, following = land.takes()
    assert (finished.mode, finished.done, following.mode) == ("full", True, "changes")
    assert land.living() == {
        "a": "a in between",
        "b": "An b",
        "c": "An c",
        "d": "An d",
        "e": "e in between",
        "f": "f in between",
    }
    assert land.cursor() == [(None, 7)]


def test_tombstones_do_not_move_the_cursor_over_records_that_came_in_between(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE, deletes=TOMBSTONES)
    fill(land, "ab")

    def while_reading(phase: str, number: int) -> None:
        if phase == "deletions" and len(land.register.history) == 2:
            land.register.state("c", START + timedelta(days=8), "An c")
            land.register.state("a", START + timedelta(days=9), None, deleted=True)

    land.register.before = while_reading
    land.take()
    assert (land.living(), land.cursor()) == ({"b": "An b"}, [(None, 2)])
    land.take()
    assert (land.living(), land.cursor()) == ({"b": "An b", "c": "An c"}, [(None, 3)])


def test_reading_all_of_a_register_that_began_to_count_anew_takes_the_cursor_back(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE)
    fill(land, "abcde")
    land.take()
    land.register.history.clear()
    fill(land, "xy")
    land.take()
    assert land.cursor() == [(None, 5)]
    land.take(full=True)
    assert land.cursor() == [(None, 2)]


def test_a_stream_that_changes_from_times_to_numbers_is_read_in_full_once(new_land) -> None:
    land = new_land(changes=BY_TIME)
    fill(land, "abcde")
    land.take()
    with pytest.raises(Killed):
        land.take(report=killing(1))
    land.configure(changes=BY_SEQUENCE)
    assert (land.take().mode, land.take().mode) == ("full", "changes")
    assert land.cursor() == [(None, 5)]
    errors = land.query("select error from intake.run where state = 'failed'")
    assert errors == [("given up: the stream lists its changes in another way now",)]


def test_records_created_while_a_snapshot_is_read_are_not_absent(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE, snapshot=WATCHED, deletes=ABSENCE)
    fill(land, "bcdef")
    land.take()

    def while_reading(phase: str, number: int) -> None:
        if (phase, number) == ("snapshot", 2):
            land.register.state("a", START + timedelta(days=9), "An a")

    land.register.before = while_reading
    land.register.state("b", START + timedelta(days=8), None, deleted=True)
    report = land.take(full=True)
    assert report.deleted == 1
    assert "".join(land.living()) == "acdef"


def test_too_many_absent_records_fail_the_read_and_the_cursor_stays(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE, snapshot=WATCHED, deletes=ABSENCE)
    fill(land, "abcde")
    land.take()
    for key in "abc":
        land.register.state(key, START + timedelta(days=8), None, deleted=True)
    with pytest.raises(ContractBroken, match=r"lacks 3 of 5 records"):
        land.take(full=True)
    assert land.cursor() == [(None, 5)]
    assert len(land.living()) == 5
