"""A day in the world."""

from __future__ import annotations

from stubs.world.state import State


def live_a_day(state: State) -> dict[str, int]:
    """Move the world on by one day; returns the number of events by kind."""
    raise NotImplementedError(state.day)
