"""Live reads, backfills and replays of the same statements: in any order, one in another, killed anywhere."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncehub.connect.stream.window import Window
from oncehub.intake.quarantine.replay import replay

from ..conftest import START, Killed, killing
from ..register import BY_TIME, STREAM, TOMBSTONES, Register

DAY = timedelta(days=1)
LAST = 9
KEYS = "abc"

_EMPTY = """
truncate intake.run, intake.cursor, intake.record_state, intake.dirty, record.person cascade
"""


@dataclass(frozen=True)
class Step:
    """What an engineer or the night does, killed after so many pages, and with another before a page."""

    kind: Literal["live", "full", "backfill", "replay", "agree", "disagree"]
    since: int = 0
    until: int = LAST
    killed_after: int = 99
    inside: Step | None = None
    inside_before: int = 1


LIVE = ("live", "full")
OTHERS = ("replay", "agree", "disagree")


def readings(*kinds: str, inside: st.SearchStrategy[Step | None]) -> st.SearchStrategy[Step]:
    pages = st.integers(1, 4)
    return st.builds(
        Step,
        kind=st.sampled_from(kinds),
        since=st.integers(0, LAST - 1),
        until=st.integers(1, LAST),
        killed_after=st.one_of(st.just(99), pages),
        inside=inside,
        inside_before=pages,
    )


def steps() -> st.SearchStrategy[Step]:
    """Steps; those inside others are of another reader, as one reader takes one process at a time."""
    alone, other = st.none(), st.builds(Step, kind=st.sampled_from(OTHERS))
    beside_live = alone | other | readings("backfill", inside=alone)
    beside_backfill = alone | other | readings(*LIVE, inside=alone)
    return other | readings(*LIVE, inside=beside_live) | readings("backfill", inside=beside_backfill)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, str | None]]:
    """What is stated of each key on which day: a good name, one too long to be agreed at first, or None."""
    stated = []
    for key in KEYS:
        for day in sorted(draw(st.sets(st.integers(0, LAST - 1), max_size=4))):
            kind = draw(st.sampled_from(["good", "good", "bad", "gone"]))
            names = {"good": f"An {key}{day}", "bad": f"An {key}{day}, too long to be agreed", "gone": None}
            stated.append((key, day, names[kind]))
    return sorted(stated, key=lambda each: each[1])


@pytest.fixture
def lands(new_land):
    """Gives a hub that has read nothing of a register with this history."""
    land = new_land(changes=BY_TIME, deletes=TOMBSTONES, quarantine={"at_most": 1.0})

    def fresh(stated: list[tuple[str, int, str | None]]) -> Any:
        land.query(_EMPTY)
        take(land, Step("disagree"))
        land.register = Register()
        for key, day, name in stated:
            land.register.state(key, START + day * DAY, name, deleted=name is None)
        return land

    return fresh


@settings(max_examples=settings.default.max_examples // 2)
@given(
    stated=histories(),
    plan=st.lists(steps(), max_size=6),
)
def test_all_ways_end_in_the_latest_statements(lands, stated, plan) -> None:
    land = lands(stated)
    for step in plan:
        take(land, step)
    take(land, Step("agree"))
    land.takes(clock=lambda: START + 40 * DAY)
    replay(land.settings, land.land, STREAM)
    latest = {key: name for key, _, name in stated}
    assert land.living() == {key: name for key, name in latest.items() if name is not None}
    assert land.open_rejections() == []


def take(land: Any, step: Step) -> None:
    with suppress(Killed):
        match step.kind:
            case "agree":
                land.agree(name={"type": "string"})
            case "disagree":
                land.agree(name={"type": "string", "maxLength": 12})
            case "replay":
                replay(land.settings, land.land, STREAM)
            case _:
                read(land, step)


def read(land: Any, step: Step) -> None:
    def before(phase: str, number: int) -> None:
        if step.inside and number >= step.inside_before:
            land.register.before = nothing
            take(land, step.inside)

    land.register.before = before
    how = {"report": killing(step.killed_after), "clock": lambda: START + step.until * DAY}
    if step.kind == "backfill":
        window = Window(START + step.since * DAY, START + max(step.until, step.since + 1) * DAY)
        how["backfill"] = window
    try:
        land.takes(full=step.kind == "full", **how)
    finally:
        land.register.before = nothing


def nothing(phase: str, number: int) -> None:
    """What happens before a page in a register that is left in peace."""
