"""A day in the world: what happens, in which order."""

from __future__ import annotations

from stubs.world import life_register, life_sources
from stubs.world.clock import DAY
from stubs.world.state import SOURCES, State

_IN_THE_REGISTER = (
    life_register.births,
    life_register.deaths,
    life_register.household_moves,
    life_register.leaving_home,
    life_register.marriages,
    life_register.reissues,
    life_register.name_corrections,
    life_register.birth_corrections,
    life_register.new_cards,
    life_register.removals,
    life_register.repairs,
)
_IN_EACH_SOURCE = (
    life_sources.deaths_heard,
    life_sources.repairs,
    life_sources.corrections,
    life_sources.updates,
    life_sources.phone_changes,
    life_sources.status_changes,
    life_sources.deletions,
    life_sources.registrations,
)
_AMONG_DOSSIERS = (
    life_sources.dossiers_filed,
    life_sources.dossiers_moved_on,
    life_sources.dossiers_repaired,
    life_sources.dossiers_deleted,
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
