"""A day in the world: what happens, in which order."""

from __future__ import annotations

from stubs.world.clock import DAY
from stubs.world.life import register, sources
from stubs.world.state import SOURCES, State

_IN_THE_REGISTER = (
    register.births,
    register.deaths,
    register.household_moves,
    register.leaving_home,
    register.marriages,
    register.reissues,
    register.name_corrections,
    register.birth_corrections,
    register.new_cards,
    register.removals,
    register.repairs,
)
_IN_EACH_SOURCE = (
    sources.deaths_heard,
    sources.repairs,
    sources.corrections,
    sources.updates,
    sources.phone_changes,
    sources.status_changes,
    sources.deletions,
    sources.registrations,
)
_AMONG_DOSSIERS = (
    sources.dossiers_filed,
    sources.dossiers_moved_on,
    sources.dossiers_repaired,
    sources.dossiers_deleted,
)


def live_a_day(state: State) -> dict[str, int]:
    """Move the world on by one day; returns the number of events as `<source>_<kind>`."""
    state.day += 1
    counts = {f"population_{event.__name__}": event(state) for event in _IN_THE_REGISTER}
    for event in _IN_EACH_SOURCE:
        for source in SOURCES:
            counts[f"{source}_{event.__name__}"] = event(state, source)
    counts |= {event.__name__: event(state) for event in _AMONG_DOSSIERS}
    state.now += DAY
    return counts
