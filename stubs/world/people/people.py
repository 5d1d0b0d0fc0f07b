"""The people of the world, as the register knows them: one row a person, in numpy columns."""

from __future__ import annotations

import numpy as np

from stubs.world.clock import DAY, START, calendar, from_calendar, generator, local_day, start_of_day
from stubs.world.people.households import (
    CHILD,
    ELDER,
    HEAD,
    YEAR,
    Households,
    family_ties,
    find_parents,
    found_households,
)
from stubs.world.people.naming import draw_ethnicity, draw_names, draw_surnames
from stubs.world.people.numbers import Numbers
from stubs.world.people.places import REFORM, places
from stubs.world.planting import rates
from stubs.world.table import Array, Table

ALIVE, DEAD, MISSING = 1, 2, 3
SINGLE, MARRIED, ONCE_MARRIED = 1, 2, 3
NEVER = np.int64(0)


def found_people(seed: int, count: int, numbers: Numbers) -> tuple[Table, Table]:
    """People and the addresses they point to, as of the world's first moment."""
    chance = generator(seed, 0, "people")
    homes, sex, age = found_households(chance, count)
    birth = local_day(np.array([START]))[0] - 1 - age
    people = Table({"sex": sex, "birth": birth.astype(np.int32), "household": homes.of.astype(np.int32)})
    _name(chance, people, homes, age)
    _relate(chance, people, homes)
    addresses = _settle(chance, people, homes)
    _number(chance, people, age, numbers)
    _describe(chance, people, age)
    _live(generator(seed, 0, "past"), people, addresses, numbers)
    return people, addresses


def _name(chance: np.random.Generator, people: Table, homes: Households, age: Array) -> None:
    """Children and the head's father carry the father's family name; spouses and mothers their own."""
    households = len(homes.start)
    group = draw_ethnicity(chance, households)[homes.of]
    family = draw_surnames(chance, group[homes.start])[homes.of]
    own = draw_surnames(chance, group)
    head_is_female = people["sex"][homes.start][homes.of] == 2
    fathers_name = np.where(homes.married[homes.of] & head_is_female, -1, family)
    spouse_at = np.minimum(homes.start + 1, len(own) - 1)
    fathers_name = np.where(fathers_name < 0, own[spouse_at][homes.of], fathers_name)
    inherits = (homes.role == HEAD) | ((homes.role == ELDER) & (people["sex"] == 1))
    surname = np.where(inherits, family, np.where(homes.role == CHILD, fathers_name, own))
    people["ethnicity"] = group
    people["ho"], people["dem"], people["ten"] = draw_names(chance, surname, group, people["sex"], age)


def _relate(chance: np.random.Generator, people: Table, homes: Households) -> None:
    father, mother, spouse = family_ties(homes, people["sex"])
    wanted = np.flatnonzero((homes.role != CHILD) & (homes.role != ELDER) & (father < 0) & (mother < 0))
    father[wanted], mother[wanted] = find_parents(
        chance, wanted, surname=people["ho"], birth=people["birth"], sex=people["sex"], spouse=spouse
    )
    in_law = wanted[(father[wanted] >= 0) & (homes.of[father[wanted]] == homes.of[wanted])]
    father[in_law], mother[in_law] = -1, -1
    people["father"], people["mother"], people["spouse"] = father, mother, spouse
    people["head"] = homes.start[homes.of].astype(np.int32)
    count = len(people)
    older = np.full(count, 60 * 365)
    # Parents who died or were never registered are known by name only.
    for parent, sex, surname in (
        ("father", 1, people["ho"]),
        ("mother", 2, draw_surnames(chance, people["ethnicity"])),
    ):
        ho, dem, ten = draw_names(chance, surname, people["ethnicity"], np.full(count, sex), older)
        unknown = chance.random(count) < 0.03
        people[f"{parent}_ho"] = np.where(unknown, -1, ho).astype(np.int16)
        people[f"{parent}_dem"], people[f"{parent}_ten"] = dem, ten


def _settle(chance: np.random.Generator, people: Table, homes: Households) -> Table:
    households, count = len(homes.start), len(people)
    pair = places().draw(chance, households)
    addresses = places().addresses(chance, pair)
    people["addr"] = homes.of.astype(np.int32)
    people["prev_addr"] = people["addr"].copy()
    temporary = np.flatnonzero((chance.random(count) < 0.05) & (people["head"] != np.arange(count)))
    people["temp_addr"] = np.full(count, -1, dtype=np.int32)
    people["temp_addr"][temporary] = addresses.append(
        places().addresses(chance, places().elsewhere(chance, pair[homes.of[temporary]]))
    )
    strangers = chance.random(count) < 0.25
    people["birth_pair"] = np.where(strangers, places().draw(chance, count), pair[homes.of]).astype(np.int32)
    people["origin_pair"] = np.where(
        chance.random(count) < 0.3, places().draw(chance, count), people["birth_pair"]
    ).astype(np.int32)
    people["addr_old"] = chance.random(count) < rates.FORMER_COMMUNES
    people["origin_old"] = chance.random(count) < rates.FORMER_COMMUNES
    return addresses


def _number(chance: np.random.Generator, people: Table, age: Array, numbers: Numbers) -> None:
    count = len(people)
    prefix = places().prefix[people["birth_pair"]]
    people["pid"] = numbers.personal_ids(prefix, people["sex"], people["birth"], np.empty(0, dtype=np.int64))
    people["prev_pid"], people["reissued_at"] = people["pid"].copy(), np.zeros(count, dtype=np.int64)
    carded = (calendar(people["birth"])[0] < 2000) & (chance.random(count) < 0.93)
    people["cmnd"] = np.full(count, -1, dtype=np.int64)
    people["cmnd"][carded] = numbers.national_ids(int(carded.sum()))
    people["mst"] = np.full(count, -1, dtype=np.int64)
    phoned = (age > 15 * YEAR) & (chance.random(count) < 0.93)
    people["phone"] = np.zeros(count, dtype=np.int64)
    people["phone"][phoned] = numbers.phones(int(phoned.sum()))
    people["prev_phone"] = people["phone"].copy()
    mailed = (age > 15 * YEAR) & (age < 65 * YEAR) & (chance.random(count) < 0.4)
    people["mail"] = np.where(mailed, people["ten"], -1).astype(np.int16)


def _describe(chance: np.random.Generator, people: Table, age: Array) -> None:
    count = len(people)
    alias = chance.random(count) < 0.02
    people["alias"] = np.where(alias, chance.permutation(people["ten"]), -1).astype(np.int16)
    people["religion"] = chance.choice(
        [99, 1, 2, 3, 4, 5], size=count, p=[0.86, 0.05, 0.06, 0.01, 0.01, 0.01]
    )
    people["blood"] = chance.choice(5, size=count, p=[0.4, 0.13, 0.18, 0.03, 0.26]).astype(np.int8)
    once = ((age > 45 * YEAR) & (chance.random(count) < 0.6)) | (age > 62 * YEAR)
    people["marital"] = np.where(people["spouse"] >= 0, MARRIED, np.where(once, ONCE_MARRIED, SINGLE)).astype(
        np.int8
    )
    people["year_only"] = (age > 58 * YEAR) & (chance.random(count) < 0.12)
    people["file_no"] = (people["household"].astype(np.int64) * 37 + 100_003).astype(np.int64)
    today = people["birth"] + age
    issued = today - (chance.random(count) * 7 * YEAR).astype(np.int64)
    issued = np.maximum(issued, people["birth"] + int(14.1 * YEAR))
    people["card_at"] = np.where((age > 14.3 * YEAR) & (chance.random(count) < 0.98), issued, -1).astype(
        np.int32
    )


def _live(chance: np.random.Generator, people: Table, addresses: Table, numbers: Numbers) -> None:
    """What happened before the world's first moment: moves, new phones, new numbers, deaths, removals."""
    count = len(people)
    people["status"] = np.full(count, ALIVE, dtype=np.int8)
    people["died"] = np.full(count, -1, dtype=np.int32)
    people["deleted"], people["fault"] = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int8)
    for flag in ("corrected", "claimed"):
        people[flag] = np.zeros(count, dtype=bool)
    people["form"] = chance.integers(0, 2**32, count, dtype=np.uint32)
    _move(chance, people, addresses)
    _change_phones(chance, people, numbers)
    _reissue(chance, people, numbers)
    people["updated"] = _last_touched(chance, people)
    _die(chance, people)
    _remove(chance, people)


def past(chance: np.random.Generator, count: int, years: float = 5.0, skew: float = 1.0) -> Array:
    """Moments in the last `years` before the world's start; a `skew` above 1 leans to the recent."""
    back = chance.random(count) ** skew * years * YEAR * DAY
    return START - 1_000_000 - back.astype(np.int64)


def _move(chance: np.random.Generator, people: Table, addresses: Table) -> None:
    homes = int(people["household"].max()) + 1
    moved = np.flatnonzero(chance.random(homes) < 5 * rates.MOVES_PER_YEAR)
    former = np.full(homes, -1, dtype=np.int64)
    pair = addresses["pair"][moved]  # addresses of the households come first, in their order
    former[moved] = addresses.append(places().addresses(chance, places().elsewhere(chance, pair)))
    when = np.zeros(homes, dtype=np.int64)
    when[moved] = past(chance, len(moved))
    at = when[people["household"]]
    grown = (at > 0) & (start_of_day(people["birth"]) < at)
    people["moved_at"] = np.where(grown, at, NEVER)
    people["prev_addr"] = np.where(grown, former[people["household"]], people["addr"]).astype(np.int32)
    people["addr_old"] &= people["moved_at"] < REFORM


def _change_phones(chance: np.random.Generator, people: Table, numbers: Numbers) -> None:
    people["phone_at"] = np.zeros(len(people), dtype=np.int64)
    changed = np.flatnonzero(
        (people["phone"] > 0) & (chance.random(len(people)) < 5 * rates.PHONE_CHANGES_PER_YEAR)
    )
    people["phone_at"][changed] = past(chance, len(changed))
    people["phone"][changed] = numbers.phones(len(changed))


def _reissue(chance: np.random.Generator, people: Table, numbers: Numbers) -> None:
    at = past(chance, len(people))
    chosen = (chance.random(len(people)) < rates.REISSUED) & (start_of_day(people["birth"]) + 30 * DAY < at)
    rows = np.flatnonzero(chosen)
    people["reissued_at"][rows] = at[rows]
    prefix = places().prefix[people["birth_pair"][rows]]
    people["pid"][rows] = numbers.personal_ids(
        prefix, people["sex"][rows], people["birth"][rows], people["pid"]
    )


def _last_touched(chance: np.random.Generator, people: Table) -> Array:
    events = [people[name] for name in ("moved_at", "reissued_at")]
    at_work = (8 * 3_600_000_000 + 8 * 3_600_000_000 * chance.random(len(people))).astype(np.int64)
    events += [start_of_day(np.maximum(people[event], -25_000)) + at_work for event in ("birth", "card_at")]
    return np.asarray(np.maximum.reduce([past(chance, len(people), skew=1.7), *events]))


def _die(chance: np.random.Generator, people: Table) -> None:
    count = len(people)
    age = (local_day(np.array([START]))[0] - people["birth"]) / YEAR
    settled = (people["moved_at"] == 0) & (people["phone_at"] == 0) & (people["reissued_at"] == 0)
    weight = np.where(settled & (age > 1), (age / 40) ** 4 + 0.05, 0)
    rows = chance.choice(count, size=round(count * rates.DEAD), replace=False, p=weight / weight.sum())
    at = np.maximum(past(chance, len(rows), years=4), start_of_day(people["birth"][rows]) + 30 * DAY)
    bury(people, rows, local_day(at))
    people["card_at"][rows] = np.minimum(people["card_at"][rows], people["died"][rows] - 1)
    people["updated"][rows] = at + DAY // 2
    people["updated"] = np.minimum(people["updated"], START - 1)
    missing = chance.random(count) < rates.MISSING_PERSONS
    people["status"][missing & (people["status"] == ALIVE) & (age > 16)] = MISSING


def bury(people: Table, rows: Array, days: Array) -> Array:
    """Mark people as dead, widow their spouses, give their households another head; returns everyone touched.

    The dead keep the spouse of their last day; the survivor's record loses the tie.
    """
    people["status"][rows], people["died"][rows] = DEAD, days
    partner = people["spouse"][rows]
    survivors = partner[(partner >= 0)]
    survivors = survivors[people["status"][survivors] != DEAD]
    people["spouse"][survivors], people["marital"][survivors] = -1, ONCE_MARRIED
    heirs = _succeed_heads(people, rows)
    return np.unique(np.concatenate([rows, survivors, heirs]))


def _succeed_heads(people: Table, dead: Array) -> Array:
    headless = np.flatnonzero(np.isin(people["head"], dead) & (people["status"] != DEAD) & ~people["deleted"])
    if not len(headless):
        return headless
    order = np.lexsort((headless, people["birth"][headless], people["head"][headless]))
    ordered = headless[order]
    _, first = np.unique(people["head"][ordered], return_index=True)
    eldest = np.zeros(len(people), dtype=np.int32)
    eldest[people["head"][ordered[first]]] = ordered[first]
    people["head"][headless] = eldest[people["head"][headless]]
    return headless


def _remove(chance: np.random.Generator, people: Table) -> None:
    """Strike a few children's double entries from the register; nobody refers to them."""
    today = local_day(np.array([START]))[0]
    minors = np.flatnonzero((people["birth"] > today - 13 * YEAR) & (people["status"] == ALIVE))
    chosen = chance.choice(minors, size=max(1, round(len(people) * rates.DELETED_CITIZENS)), replace=False)
    people["deleted"][chosen] = True


def card_until(people: Table) -> Array:
    """Last day of each card: the 25th, 40th or 60th birthday that follows its issue; -1 for none.

    Source: Luật Căn cước 26/2023/QH15, Điều 21.
    """
    year, month, day = calendar(people["birth"])
    until = np.full(len(people), -1, dtype=np.int64)
    for milestone in (60, 40, 25):
        birthday = from_calendar(year + milestone, month, day)
        until = np.where(people["card_at"] < birthday, birthday, until)
    return until
