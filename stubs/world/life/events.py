"""What all events of a day share: when they happen, to whom, and the mark they leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stubs.world.clock import SECOND, generator, local_day
from stubs.world.people.households import YEAR
from stubs.world.people.people import ALIVE
from stubs.world.people.places import REFORM
from stubs.world.state import State
from stubs.world.table import Array, Table
from stubs.world.truth.linking import sound


@dataclass(frozen=True)
class Day:
    """One day of the world; `chance` draws for one purpose only."""

    state: State
    chance: np.random.Generator

    @classmethod
    def of(cls, state: State, purpose: str) -> Day:
        """The day that begins at the state's present moment."""
        return cls(state, generator(state.seed, state.day, purpose))

    @property
    def date(self) -> int:
        """Days since 1970 in Vietnam."""
        return int(local_day(np.array([self.state.now]))[0])

    def some(self, allowed: Array, rate: float, *, of: int | None = None) -> Array:
        """Rows where `allowed`: `rate` times their number (or times `of`), at least one if there is one."""
        rows = np.flatnonzero(allowed)
        count = min(len(rows), max(1, round(rate * (len(rows) if of is None else of))))
        return np.sort(self.chance.choice(rows, size=count, replace=False))

    def moments(self, count: int) -> Array:
        """Whole seconds of the day, early enough that what follows from an event still falls into it."""
        return self.state.now + SECOND * self.chance.integers(60, 80_000, count)

    def age(self, people: Table) -> Array:
        """Ages in years."""
        return np.asarray((self.date - people["birth"]) / YEAR)


def living(people: Table) -> Array:
    """People whose register record is in force and tells of someone alive."""
    return np.asarray((people["status"] == ALIVE) & sound(people))


def touch(table: Table, rows: Array, at: Array) -> None:
    """Stamp changed rows, a second change after the first; addresses are coded as of the new stamp."""
    table["updated"][rows] = np.maximum(at, table["updated"][rows] + SECOND)
    if "states_addr" in table.columns:
        table["addr_old"][rows] = table["updated"][rows] < REFORM


def kin(people: Table, rows: Array) -> Array:
    """The people whose register records show these people's names and numbers, and these themselves."""
    shown = np.isin(np.arange(len(people)), rows)
    for tie in ("father", "mother", "spouse", "head"):
        shown |= np.isin(people[tie], rows)
    return np.flatnonzero(shown)


def of_the_living(state: State, source: str) -> Array:
    """Sound records about living people."""
    table = state.records[source]
    person = table["person"]
    return np.asarray(sound(table) & (person >= 0) & living(state.people)[person])
