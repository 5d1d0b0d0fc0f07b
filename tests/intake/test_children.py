"""Children of changed parents: their cursor goes by their parents', and never further."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oncehub.connect.stream.window import Window

from .conftest import START, Killed, killing
from .register import BY_SEQUENCE, BY_TIME, CHILD, OF_CHANGED, STREAM

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def land(new_land):
    land = new_land(changes=BY_TIME, child=OF_CHANGED)
    for day, key in enumerate("abcd"):
        land.register.state(key, START + day * DAY, f"An {key}")
    return land


def cursors(land) -> dict[str, object]:
    return dict(
        land.query("select stream, coalesce(to_jsonb(position), to_jsonb(sequence)) from intake.cursor")
    )


def test_children_are_asked_for_in_their_parents_window_from_their_parents_cursor(land) -> None:
    land.takes()
    parents, children = land.takes()
    assert (children.mode, children.window) == ("changes", parents.window)
    assert children.window.since == START + 3 * DAY - HOUR
    assert cursors(land)[CHILD] == cursors(land)[STREAM]


def test_children_whose_parents_were_never_read_are_read_in_full_again(land) -> None:
    land.take(streams=[CHILD])
    assert cursors(land) == {}
    assert land.take(streams=[CHILD]).mode == "full"


def test_children_read_after_their_parents_moved_on_are_not_further_than_them(land) -> None:
    land.takes()
    land.register.state("e", START + 9 * DAY, "An e")
    land.take(streams=[CHILD])
    land.take(streams=[CHILD], clock=lambda: START + 40 * DAY)
    assert cursors(land)[CHILD] == cursors(land)[STREAM]
    land.take(streams=[STREAM])
    land.take(streams=[CHILD])
    assert land.cursor() == [(START + 9 * DAY, None)] * 2


def test_no_child_is_lost_when_its_read_fails_and_its_parents_does_not(land) -> None:
    land.takes()
    for day, key in enumerate("efgh", start=10):
        land.register.state(key, START + day * DAY, f"An {key}")
    with pytest.raises(Killed):
        land.take(streams=[CHILD], report=killing(1))
    land.register.state("i", START + 20 * DAY, "An i")
    land.take(streams=[STREAM])
    land.takes(streams=[CHILD])
    assert {key for key in land.living() if key.startswith("deed")} == {
        f"deed of {key}" for key in "abcdefghi"
    }


def test_children_of_numbered_parents_count_by_the_parents_that_were_asked(new_land) -> None:
    land = new_land(changes=BY_SEQUENCE, child=OF_CHANGED)
    for day, key in enumerate("abcd"):
        land.register.state(key, START + day * DAY, f"An {key}")
    land.takes()
    assert cursors(land) == {STREAM: 4, CHILD: 4}
    land.register.state("e", START + 9 * DAY, "An e")
    assert land.take(streams=[CHILD]).window == Window(4, None)
    assert cursors(land)[CHILD] == 5


def test_children_are_backfilled_by_their_parents_window(land) -> None:
    report = land.take(streams=[CHILD], backfill=Window(START + DAY, START + 3 * DAY))
    assert report.read == 2
    assert set(land.living()) == {"deed of b", "deed of c"}
