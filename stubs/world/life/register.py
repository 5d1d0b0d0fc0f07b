"""A day in the register: births, deaths, moves, marriages, new numbers, corrections, removals."""

from __future__ import annotations

import numpy as np

from stubs.world.clock import DAY, calendar, from_calendar
from stubs.world.life.events import Day, kin, living, of_the_living, touch
from stubs.world.people import names
from stubs.world.people.lexicon import lexicon
from stubs.world.people.naming import KINH, draw_names
from stubs.world.people.people import MARRIED, SINGLE, bury
from stubs.world.people.places import places
from stubs.world.planting.rates import Fault
from stubs.world.records import ACTIVE
from stubs.world.state import SOURCES, State, former_numbers
from stubs.world.table import Array, Table

BIRTHS = 0.0004  # all rates: a day, of the people
DEATHS = 0.0003
HOUSEHOLD_MOVES = 0.0002
LEAVING_HOME = 0.0002
MARRIAGES = 0.0002
REISSUES = 0.0002
NAME_CORRECTIONS = 0.00015
BIRTH_CORRECTIONS = 0.00015
NEW_CARDS = 0.004
REMOVALS = 0.00005
REPAIRS = 0.2  # of the broken records
TELLS_AT_ONCE = 0.3  # of the records of those who move


def births(state: State) -> int:
    """Children of married couples, registered within two weeks."""
    day, people = Day.of(state, "births"), state.people
    age, partner = day.age(people), people["spouse"]
    able = living(people) & (people["sex"] == 2) & (age > 20) & (age < 40) & (partner >= 0)
    mothers = day.some(able & living(people)[partner], BIRTHS, of=len(people))
    children = people.take(mothers)
    count = len(mothers)
    _forget(children)
    children["father"], children["mother"] = people["spouse"][mothers], mothers.astype(np.int32)
    for which, parent in (("father", children["father"]), ("mother", mothers)):
        for part in ("ho", "dem", "ten"):
            children[f"{which}_{part}"] = people[part][parent]
    children["sex"] = day.chance.integers(1, 3, count).astype(np.int8)
    children["birth"] = day.date - day.chance.integers(1, 15, count)
    children["ho"], children["dem"], children["ten"] = draw_names(
        day.chance, people["ho"][children["father"]], children["ethnicity"], children["sex"], np.zeros(count)
    )
    pair = state.addresses["pair"][children["addr"]]
    children["birth_pair"], children["origin_pair"] = pair, people["origin_pair"][children["father"]]
    children["pid"] = _new_numbers(state, children)
    children["prev_pid"] = children["pid"]
    children["updated"] = day.moments(count)
    people.append(children)
    return count


def _forget(children: Table) -> None:
    """A newborn has nothing of what its mother's row, the template, holds."""
    absent = ("cmnd", "mst", "mail", "alias", "temp_addr", "spouse", "card_at", "died")
    nothing = ("phone", "prev_phone", "phone_at", "moved_at", "reissued_at", "blood", "fault", "year_only")
    for name in absent:
        children[name][:] = -1
    for name in (*nothing, "corrected", "claimed", "deleted", "addr_old", "origin_old"):
        children[name][:] = 0
    children["marital"][:] = SINGLE
    children["prev_addr"] = children["addr"].copy()


def _new_numbers(state: State, people: Table) -> Array:
    taken = np.concatenate([state.people["pid"], state.former["pid"]])
    return state.numbers.personal_ids(
        places().prefix[people["birth_pair"]], people["sex"], people["birth"], taken
    )


def deaths(state: State) -> int:
    """Mostly the old; what other sources hold of the dead stays until they hear of it."""
    day, people = Day.of(state, "deaths"), state.people
    old = living(people) & (day.chance.random(len(people)) < (day.age(people) / 90) ** 3) & ~people["claimed"]
    rows = day.some(old, DEATHS, of=len(people))
    at = day.moments(len(rows))
    touched = bury(people, rows, np.full(len(rows), day.date))
    touch(people, touched, np.full(len(touched), at.max()))
    return len(rows)


def household_moves(state: State) -> int:
    """Whole households move to another part of the country."""
    day, people = Day.of(state, "household-moves"), state.people
    heads = day.some(
        living(people) & (people["head"] == np.arange(len(people))), HOUSEHOLD_MOVES, of=len(people)
    )
    members = np.flatnonzero(living(people) & np.isin(people["head"], heads))
    place = np.searchsorted(heads, people["head"][members])
    pair = state.addresses["pair"][people["addr"][heads]]
    home = state.addresses.append(places().addresses(day.chance, places().elsewhere(day.chance, pair)))
    _move(day, members, home[place], day.moments(len(heads))[place])
    return len(heads)


def leaving_home(state: State) -> int:
    """Young people found a household of their own."""
    day, people = Day.of(state, "leaving-home"), state.people
    age, own = day.age(people), np.arange(len(people))
    free = living(people) & (age > 18) & (age < 35) & (people["head"] != own) & (people["marital"] == SINGLE)
    rows = day.some(free, LEAVING_HOME, of=len(people))
    people["head"][rows] = rows
    pair = state.addresses["pair"][people["addr"][rows]]
    home = state.addresses.append(places().addresses(day.chance, places().elsewhere(day.chance, pair)))
    _move(day, rows, home, day.moments(len(rows)))
    return len(rows)


def _move(day: Day, movers: Array, home: Array, at: Array) -> None:
    """Put people at a new address, and let some tell the sources the same day."""
    people = day.state.people
    people["prev_addr"][movers], people["addr"][movers] = people["addr"][movers], home
    people["addr_old"][movers], people["moved_at"][movers] = False, at
    touch(people, movers, at)
    for source in SOURCES:
        table = day.state.records[source]
        covered = (
            of_the_living(day.state, source) & np.isin(table["person"], movers) & (table["status"] == ACTIVE)
        )
        rows = np.flatnonzero(
            covered & table["states_addr"] & (day.chance.random(len(table)) < TELLS_AT_ONCE)
        )
        table["addr"][rows] = people["addr"][table["person"][rows]]
        touch(table, rows, people["moved_at"][table["person"][rows]] + DAY // 100)


def marriages(state: State) -> int:
    """Two single people of different households; she moves in with him."""
    day, people = Day.of(state, "marriages"), state.people
    age, own = day.age(people), np.arange(len(people))
    free = living(people) & (people["marital"] == SINGLE) & (people["spouse"] < 0) & (age > 20) & (age < 40)
    grooms = day.some(free & (people["sex"] == 1), MARRIAGES, of=len(people))
    brides = day.some(free & (people["sex"] == 2) & (people["head"] != own), MARRIAGES, of=len(people))
    grooms, brides = grooms[: len(brides)], day.chance.permutation(brides)[: len(grooms)]
    apart = people["head"][grooms] != people["head"][brides]
    for parent in ("father", "mother"):
        apart &= (people[parent][grooms] < 0) | (people[parent][grooms] != people[parent][brides])
    grooms, brides = grooms[apart], brides[apart]
    people["spouse"][grooms], people["spouse"][brides] = brides, grooms
    people["marital"][grooms] = people["marital"][brides] = MARRIED
    people["head"][brides] = people["head"][grooms]
    at = day.moments(len(grooms))
    _move(day, brides, people["addr"][grooms], at)
    touch(people, grooms, at)
    return len(grooms)


def reissues(state: State) -> int:
    """Personal numbers cancelled and established anew (Nghị định 70/2024); others keep the former number."""
    day, people = Day.of(state, "reissues"), state.people
    fit = living(people) & (people["reissued_at"] == 0) & ~people["claimed"] & (day.age(people) > 1)
    rows = day.some(fit, REISSUES, of=len(people))
    at = day.moments(len(rows))
    people["prev_pid"][rows], people["reissued_at"][rows] = people["pid"][rows], at
    state.former.append(former_numbers(people, rows, np.full(len(rows), day.date)))
    people["pid"][rows] = _new_numbers(state, people.take(rows))
    _touch_kin(people, rows, at)
    return len(rows)


def _touch_kin(people: Table, rows: Array, at: Array) -> None:
    touched = kin(people, rows)
    touch(people, touched, np.full(len(touched), at.max()))


def name_corrections(state: State) -> int:
    """The register had a middle name wrong: the copies in other sources are out of date from now on."""
    day, people = Day.of(state, "name-corrections"), state.people
    middle = lexicon().numbers(sorted({*names.MIDDLE_MALE_YOUNG, *names.MIDDLE_FEMALE_YOUNG}))
    middle = middle[lexicon().folded_length[middle] <= 4]  # so that the old name stays recognisable
    short = (people["dem"] >= 0) & (lexicon().folded_length[people["dem"]] <= 4)
    rows = day.some(
        _correctable(day) & short & (people["ethnicity"] == KINH), NAME_CORRECTIONS, of=len(people)
    )
    new = day.chance.choice(middle, len(rows))
    same = lexicon().fold_number[new] == lexicon().fold_number[people["dem"][rows]]
    rows, new = rows[~same], new[~same]
    people["dem"][rows], people["corrected"][rows] = new, True
    if len(rows):
        _touch_kin(people, rows, day.moments(len(rows)))
    return len(rows)


def birth_corrections(state: State) -> int:
    """The register had the day of birth wrong."""
    day, people = Day.of(state, "birth-corrections"), state.people
    rows = day.some(_correctable(day) & ~people["year_only"], BIRTH_CORRECTIONS, of=len(people))
    year, month, date = calendar(people["birth"][rows])
    people["birth"][rows] = from_calendar(year, month, (date + 3) % 28 + 1)
    people["corrected"][rows] = True
    touch(people, rows, day.moments(len(rows)))
    return len(rows)


def _correctable(day: Day) -> Array:
    """Once a person, so that others differ in one thing only; nobody whose number somebody else claims."""
    people = day.state.people
    return np.asarray(living(people) & ~people["corrected"] & ~people["claimed"] & (day.age(people) > 18))


def new_cards(state: State) -> int:
    """Identity cards renewed."""
    day, people = Day.of(state, "new-cards"), state.people
    rows = day.some(living(people) & (day.age(people) > 15), NEW_CARDS, of=len(people))
    people["card_at"][rows] = day.date
    touch(people, rows, day.moments(len(rows)))
    return len(rows)


def removals(state: State) -> int:
    """Double entries struck from the register: people without records in any source and without relatives."""
    day, people = Day.of(state, "removals"), state.people
    known = np.zeros(len(people), dtype=bool)
    for table in [*state.records.values(), state.dossiers]:
        known[table["person"][table["person"] >= 0]] = True
    own = np.arange(len(people))
    for tie in ("father", "mother", "spouse", "head"):
        known[people[tie][(people[tie] >= 0) & (people[tie] != own)]] = True
    rows = day.some(living(people) & ~known & ~people["claimed"], REMOVALS, of=len(people))
    people["deleted"][rows] = True
    touch(people, rows, day.moments(len(rows)))
    return len(rows)


def repairs(state: State) -> int:
    """Broken records put right."""
    day, people = Day.of(state, "register-repairs"), state.people
    rows = day.some((people["fault"] != Fault.NONE) & ~people["deleted"], REPAIRS)
    people["fault"][rows] = Fault.NONE
    touch(people, rows, day.moments(len(rows)))
    return len(rows)
