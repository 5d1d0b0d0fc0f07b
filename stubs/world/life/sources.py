"""A day in the four sources and among the dossiers."""

from __future__ import annotations

import numpy as np

from stubs.world.clock import SECOND
from stubs.world.dossiers import DONE, NEXT, OPEN, RETURNED, eligible_accounts, file_dossiers
from stubs.world.life.events import Day, living, of_the_living, touch
from stubs.world.people.people import DEAD
from stubs.world.planting.rates import Fault, Plant
from stubs.world.records import (
    ACTIVE,
    CLOSED,
    DECEASED,
    HABITS,
    TWELVE,
    business_addresses,
    businesses,
    give_keys,
)
from stubs.world.records import state as stated
from stubs.world.state import State
from stubs.world.table import Array, Table
from stubs.world.truth.linking import sound

REGISTRATIONS = 0.002  # all rates: a day, of the source's records unless said
REFRESHES = 0.004
PHONE_CHANGES = 0.001
STATUS_CHANGES = 0.001
DELETIONS = 0.0003
CORRECTIONS = 0.05  # of the planted conflicts and foreign numbers
UPDATES = 0.03  # of the records that show an address or phone of the past
DEATHS_HEARD = 0.1  # of the records that think a dead person alive
REPAIRS = 0.2  # of the broken records
DOSSIERS_FILED = 0.01
DOSSIERS_MOVED_ON = 0.08  # of the open ones

_CORRECTABLE = (
    Plant.BIRTH_SWAPPED,
    Plant.IMPOSSIBLE_BIRTH,
    Plant.WRONG_SEX,
    Plant.MISTYPED_NAME,
    Plant.WRONG_PERSON,
)


def registrations(state: State, source: str) -> int:
    """People the source did not know yet, and at customs a few companies."""
    day, people, table = Day.of(state, f"{source}-registrations"), state.people, state.records[source]
    unknown = living(people) & (day.age(people) > HABITS[source].least_age)
    unknown &= ~np.isin(np.arange(len(people)), table["person"])
    rows = day.some(unknown, REGISTRATIONS, of=len(table))
    records = stated(source, people, rows, day.moments(len(rows)), day.chance)
    give_keys(source, records, people, state.numbers, day.chance)
    table.append(records)
    if source == "customs":
        count = max(1, len(rows) // 3)
        table.append(businesses(count, day.moments(count), state.numbers, day.chance))
        business_addresses(table, state.addresses, day.chance)
    return len(rows)


def restate(table: Table, rows: Array, people: Table, at: Array) -> None:
    """State the people anew as they are now, in all that the records state of them."""
    person = table["person"][rows]
    for name in ("ho", "dem", "ten", "birth", "sex"):
        table[name][rows] = people[name][person]
    for name, stated_at_all in (
        ("phone", table["phone"] > 0),
        ("addr", table["addr"] >= 0),
        ("pid", _own_pid(table)),
    ):
        some = rows[stated_at_all[rows]]
        table[name][some] = people[name][table["person"][some]]
    touch(table, rows, at)


def _own_pid(table: Table) -> Array:
    """Records whose personal number can change: at tax it may be the key itself, which stays."""
    return np.asarray((table["pid"] > 0) & (table["kind"] != TWELVE))


def corrections(state: State, source: str) -> int:
    """Planted conflicts and foreign numbers put right at the source."""
    day, table = Day.of(state, f"{source}-corrections"), state.records[source]
    rows = day.some(of_the_living(state, source) & np.isin(table["plant"], _CORRECTABLE), CORRECTIONS)
    table["plant"][rows] = Plant.NONE
    restate(table, rows, state.people, day.moments(len(rows)))
    return len(rows)


def updates(state: State, source: str) -> int:
    """Records brought up to date by those who had moved or taken another phone, and a few by others."""
    day, people, table = Day.of(state, f"{source}-updates"), state.people, state.records[source]
    person, usual = table["person"], of_the_living(state, source) & ~np.isin(table["plant"], _CORRECTABLE)
    moved = (table["addr"] >= 0) & (table["addr"] != people["addr"][person])
    other_phone = (table["phone"] > 0) & (table["phone"] != people["phone"][person])
    rows = np.union1d(
        day.some(usual & (moved | other_phone), UPDATES), day.some(usual, REFRESHES, of=len(table))
    )
    restate(table, rows, people, day.moments(len(rows)))
    return len(rows)


def phone_changes(state: State, source: str) -> int:
    """A new phone that only one source learns; the values of the others become stale."""
    day, people, table = Day.of(state, f"{source}-phone-changes"), state.people, state.records[source]
    fit = of_the_living(state, source) & (table["plant"] == Plant.NONE) & (table["phone"] > 0)
    rows = day.some(fit, PHONE_CHANGES, of=len(table))
    person, first = np.unique(table["person"][rows], return_index=True)
    rows, at = rows[first], day.moments(len(first))
    people["prev_phone"][person], people["phone_at"][person] = people["phone"][person], at
    people["phone"][person] = state.numbers.phones(len(person))
    table["phone"][rows] = people["phone"][person]
    touch(table, rows, at)
    return len(rows)


def deletions(state: State, source: str) -> int:
    """Records deleted at the source; their rows stay, so that they can be served as tombstones."""
    day, table = Day.of(state, f"{source}-deletions"), state.records[source]
    rows = day.some(sound(table) & (table["plant"] == Plant.NONE), DELETIONS, of=len(table))
    table["deleted"][rows] = True
    touch(table, rows, day.moments(len(rows)))
    return len(rows)


def repairs(state: State, source: str) -> int:
    """Broken records put right; a tax code with a wrong digit is a key and stays."""
    day, table = Day.of(state, f"{source}-repairs"), state.records[source]
    broken = (table["fault"] != Fault.NONE) & (table["fault"] != Fault.CHECK_DIGIT) & ~table["deleted"]
    rows = day.some(broken, REPAIRS)
    table["fault"][rows] = Fault.NONE
    touch(table, rows, day.moments(len(rows)))
    return len(rows)


def status_changes(state: State, source: str) -> int:
    """Accounts locked and unlocked, registrations closed and opened again. Customs knows only the dead."""
    if source == "customs":
        return 0
    day, table = Day.of(state, f"{source}-status"), state.records[source]
    rows = day.some(
        of_the_living(state, source) & (table["status"] != DECEASED), STATUS_CHANGES, of=len(table)
    )
    table["status"][rows] = np.where(table["status"][rows] == ACTIVE, CLOSED, ACTIVE)
    touch(table, rows, day.moments(len(rows)))
    return len(rows)


def deaths_heard(state: State, source: str) -> int:
    """Sources learn of the dead."""
    day, table = Day.of(state, f"{source}-deaths"), state.records[source]
    dead = (table["person"] >= 0) & (state.people["status"][table["person"]] == DEAD)
    rows = day.some(sound(table) & dead & (table["status"] == ACTIVE), DEATHS_HEARD)
    table["status"][rows] = DECEASED
    unaware = table["plant"][rows] == Plant.UNAWARE_OF_DEATH
    table["plant"][rows[unaware]] = Plant.NONE
    touch(table, rows, day.moments(len(rows)))
    return len(rows)


def dossiers_filed(state: State) -> int:
    """New dossiers at the portal."""
    day, accounts = Day.of(state, "dossiers-filed"), state.records["portal"]
    count = max(1, round(DOSSIERS_FILED * len(state.dossiers)))
    rows = day.chance.choice(eligible_accounts(state.people, accounts), size=count)
    state.dossiers.append(
        file_dossiers(
            state.people, accounts, rows, day.moments(count), numbers=state.numbers, chance=day.chance
        )
    )
    return count


def dossiers_moved_on(state: State) -> int:
    """Open dossiers come one step further."""
    day, table = Day.of(state, "dossiers-moved"), state.dossiers
    before = table["updated"] < state.now
    rows = day.some(sound(table) & before & np.isin(table["status"], [*OPEN, DONE]), DOSSIERS_MOVED_ON)
    at = day.moments(len(rows)) + SECOND
    step = np.array([NEXT.get(status, status) for status in range(11)], dtype=np.int8)
    table["status"][rows] = step[table["status"][rows]]
    over = np.isin(table["status"][rows], [DONE, RETURNED])
    table["finished"][rows] = np.where(over, at, 0)
    touch(table, rows, at)
    return len(rows)


def dossiers_repaired(state: State) -> int:
    """Broken dossiers put right."""
    day, table = Day.of(state, "dossiers-repaired"), state.dossiers
    rows = day.some((table["fault"] != Fault.NONE) & ~table["deleted"], REPAIRS)
    table["fault"][rows] = Fault.NONE
    touch(table, rows, day.moments(len(rows)))
    return len(rows)


def dossiers_deleted(state: State) -> int:
    """Dossiers deleted at the portal."""
    day, table = Day.of(state, "dossiers-deleted"), state.dossiers
    rows = day.some(sound(table), DELETIONS)
    table["deleted"][rows] = True
    touch(table, rows, day.moments(len(rows)))
    return len(rows)
