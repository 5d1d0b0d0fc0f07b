"""Plant into the sources' records what the hub is to find; see `plants` for how much of what."""

from __future__ import annotations

import numpy as np

from stubs.world.clock import DAY, SECOND, START, calendar, from_calendar, generator
from stubs.world.people.households import YEAR
from stubs.world.people.lexicon import lexicon
from stubs.world.people.numbers import Numbers
from stubs.world.people.people import ALIVE
from stubs.world.people.spelling import fold
from stubs.world.planting import rates
from stubs.world.planting.dirt import Dirt
from stubs.world.planting.rates import Fault, Plant
from stubs.world.planting.shortcomings import impossible_births
from stubs.world.records import ACTIVE, FULL, PERSON, TEN, TWELVE
from stubs.world.state import SOURCES
from stubs.world.table import Array, Table

_TRIES = 12


def plant_all(seed: int, people: Table, records: dict[str, Table], numbers: Numbers, dirt: Dirt) -> None:
    """Plant into every source. Tax goes before customs and banking, which may hold nothing but its codes."""
    for source in SOURCES:
        chance = generator(seed, 0, f"plants-{source}")
        table = records[source]
        _plant_conflicts(source, table, people, dirt, chance)
        _plant_numbers(source, table, people, records, dirt=dirt, chance=chance)
        _plant_wrong_persons(table, people, dirt, chance)
        _plant_duplicates(source, table, people, numbers, dirt=dirt, chance=chance)
        plant_faults(source, table, people, chance)
        _plant_impossible_births(source, table, people, dirt, generator(seed, 0, f"impossible-{source}"))
    _break_register(generator(seed, 0, "plants-population"), people, records)


def _free(table: Table, people: Table) -> Array:
    """Records of people to whom nothing has happened: the plant is their only reason to differ."""
    person = table["person"]
    quiet = people["status"] == ALIVE
    for event in ("moved_at", "phone_at", "reissued_at"):
        quiet &= people[event] == 0
    untouched = (table["plant"] == Plant.NONE) & (table["fault"] == Fault.NONE) & ~table["deleted"]
    return np.asarray(untouched & (table["status"] == ACTIVE) & (person >= 0) & quiet[person])


def _some(chance: np.random.Generator, table: Table, allowed: Array, share: float) -> Array:
    """About `share` of all rows, taken among the allowed ones, and at least one where one is allowed."""
    rows = np.flatnonzero(allowed)
    return np.sort(chance.choice(rows, size=min(len(rows), max(1, round(share * len(table)))), replace=False))


def _plant_conflicts(
    source: str, table: Table, people: Table, dirt: Dirt, chance: np.random.Generator
) -> None:
    if source in {"portal", "tax", "banking"}:
        year, month, day = calendar(table["birth"])
        swappable = (day <= 12) & (day != month) & (table["birth_form"] == FULL)
        swappable &= ~people["year_only"][table["person"]]
        rows = _some(chance, table, _free(table, people) & swappable, dirt.planted * rates.BIRTH_SWAPPED)
        table["birth"][rows] = from_calendar(year[rows], day[rows], month[rows])
        table["plant"][rows] = Plant.BIRTH_SWAPPED
    if source in {"portal", "tax"}:
        rows = _some(chance, table, _free(table, people), dirt.planted * rates.WRONG_SEX)
        table["sex"][rows] = 3 - table["sex"][rows]
        table["plant"][rows] = Plant.WRONG_SEX
    rows = _some(chance, table, _free(table, people), dirt.planted * rates.MISTYPED_NAME)
    part = np.where(chance.random(len(rows)) < 0.6, "ten", "ho")
    for name in ("ten", "ho"):
        hit = rows[part == name]
        table[name][hit] = lexicon().slip(table[name][hit], chance.integers(0, 6, len(hit)))
    table["plant"][rows] = Plant.MISTYPED_NAME


def _plant_impossible_births(
    source: str, table: Table, people: Table, dirt: Dirt, chance: np.random.Generator
) -> None:
    """A slip in the century: born a hundred years earlier, longer ago than anybody lives."""
    if source not in {"portal", "tax", "banking"}:
        return
    year, month, day = calendar(table["birth"])
    slipped = table.columns | {"birth": from_calendar(year - 100, month, day)}
    fit = _free(table, people) & (table["birth_form"] == FULL) & impossible_births(Table(slipped))
    rows = _some(chance, table, fit, dirt.planted * rates.IMPOSSIBLE_BIRTH)
    table["birth"][rows] = slipped["birth"][rows]
    table["plant"][rows] = Plant.IMPOSSIBLE_BIRTH


def _plant_numbers(
    source: str,
    table: Table,
    people: Table,
    records: dict[str, Table],
    *,
    dirt: Dirt,
    chance: np.random.Generator,
) -> None:
    """Take the personal number away, and leave the 9-digit one, or a tax code, or nothing."""
    keyed = table["kind"] == TWELVE if source == "tax" else np.zeros(len(table), dtype=bool)
    carded = people["cmnd"][table["person"]] >= 0
    rows = _some(chance, table, _free(table, people) & carded & ~keyed, dirt.planted * rates.NATIONAL_ID_ONLY)
    table["cmnd"][rows] = people["cmnd"][table["person"][rows]]
    _take_numbers(table, rows, Plant.NATIONAL_ID_ONLY)
    if source == "tax":
        return
    rows = _some(chance, table, _free(table, people), dirt.planted * rates.NO_NUMBER)
    table["cmnd"][rows] = -1
    _take_numbers(table, rows, Plant.NO_NUMBER)
    if source == "portal":
        return
    tax = records["tax"]
    linked = (
        (tax["kind"] == TEN) & ~tax["deleted"] & (tax["fault"] == Fault.NONE) & (tax["plant"] == Plant.NONE)
    )
    known = np.isin(table["person"], tax["person"][linked])
    rows = _some(chance, table, _free(table, people) & known, dirt.planted * rates.TAX_CODE_ONLY)
    _take_numbers(table, rows, Plant.TAX_CODE_ONLY)
    table["cmnd"][rows] = -1
    table["mst"][rows] = people["mst"][table["person"][rows]]


def _take_numbers(table: Table, rows: Array, plant: Plant) -> None:
    table["pid"][rows], table["mst"][rows] = 0, -1
    table["plant"][rows] = plant


def _plant_wrong_persons(table: Table, people: Table, dirt: Dirt, chance: np.random.Generator) -> None:
    """The personal number of an unrelated living person of another name and another age."""
    keyed = table["kind"] == TWELVE
    rows = _some(
        chance, table, _free(table, people) & ~keyed & (table["pid"] > 0), dirt.planted * rates.WRONG_PERSON
    )
    adult = people["birth"] < START // DAY - int(19 * YEAR)
    others = np.flatnonzero(
        (people["status"] == ALIVE) & adult & ~people["deleted"] & (people["reissued_at"] == 0)
    )
    drawn = chance.choice(others, size=(_TRIES, len(rows)))
    unlike = np.stack([_unlike(people, table["person"][rows], other) for other in drawn])
    found = unlike.any(axis=0)
    other = drawn[unlike.argmax(axis=0), np.arange(len(rows))][found]
    rows = rows[found]
    table["pid"][rows] = people["pid"][other]
    table["plant"][rows] = Plant.WRONG_PERSON
    people["claimed"][other] = True


def _unlike(people: Table, person: Array, other: Array) -> Array:
    apart = np.abs(people["birth"][person] - people["birth"][other]) > rates.UNLIKE_BIRTH_YEARS * YEAR
    for tie in ("father", "mother", "spouse"):
        apart &= (people[tie][person] != other) & (people[tie][other] != person)
    apart &= people["head"][person] != people["head"][other]
    left, right = (
        lexicon().name_key((people["ho"][rows], people["dem"][rows], people["ten"][rows])).to_list()
        for rows in (person, other)
    )
    return np.asarray(apart & (edit_distance(left, right) >= rates.UNLIKE_NAME))


def edit_distance(left: list[str], right: list[str]) -> Array:
    """Levenshtein distance of each pair; the table is filled for all pairs at once."""
    a, b = _letters(left), _letters(right)
    widths = np.array([len(word) for word in right], dtype=np.int64)
    heights = np.array([len(word) for word in left], dtype=np.int64)
    row = np.broadcast_to(np.arange(b.shape[1] + 1), (len(left), b.shape[1] + 1)).copy()
    result = row[np.arange(len(left)), widths].copy()
    for i in range(a.shape[1]):
        above, row = row, np.empty_like(row)
        row[:, 0] = i + 1
        for j in range(b.shape[1]):
            swap = above[:, j] + (a[:, i] != b[:, j])
            row[:, j + 1] = np.minimum(np.minimum(above[:, j + 1], row[:, j]) + 1, swap)
        done = heights == i + 1
        result[done] = row[done, widths[done]]
    return np.asarray(result)


def _letters(words: list[str]) -> Array:
    table = np.array([fold(word) for word in words], dtype=np.str_)
    return table.view(np.uint32).reshape(len(words), -1) if len(words) else np.zeros((0, 0), dtype=np.uint32)


def _plant_duplicates(
    source: str, table: Table, people: Table, numbers: Numbers, *, dirt: Dirt, chance: np.random.Generator
) -> None:
    """The same person once more under another key, stated some time later."""
    single = np.bincount(table["person"][table["person"] >= 0], minlength=len(people)) == 1
    free = _free(table, people) & single[table["person"]] & (table["pid"] > 0)
    if source == "tax":
        free &= table["kind"] == TWELVE  # the second one, a 10-digit code from before, keeps its own key
    rows = _some(chance, table, free, dirt.planted * rates.DUPLICATE)
    table["plant"][rows] = Plant.DUPLICATE
    again = table.take(rows)
    again["form"] = chance.integers(0, 2**32, len(rows), dtype=np.uint32)
    again["updated"] = np.minimum(
        again["updated"] + SECOND * chance.integers(60, 10**7, len(rows)), START - SECOND
    )
    if source == "tax":
        again["kind"][:] = TEN
        again["key"] = numbers.tax_codes(len(rows))
    else:
        again["key"] = (
            numbers.bank_accounts(len(rows)) if source == "banking" else numbers.running(source, len(rows))
        )
    table.append(again)


def plant_faults(source: str, table: Table, people: Table, chance: np.random.Generator) -> None:
    """Break a few records' contract, each kind of fault in turn; at least as many as there are kinds."""
    kinds = [Fault.WRONG_TYPE, Fault.IMPOSSIBLE_DATE, Fault.MISSING_NAME]
    kinds += [Fault.CHECK_DIGIT] if source == "tax" else []
    free = _free(table, people) & (
        table["kind"] == PERSON if source == "customs" else table["kind"] != TWELVE
    )
    share = max(rates.BROKEN, len(kinds) / len(table))
    rows = chance.permutation(_some(chance, table, free, share))
    table["fault"][rows] = np.resize(np.array(kinds, dtype=np.int8), len(rows))
    table["birth_form"][rows] = np.where(
        table["fault"][rows] == Fault.IMPOSSIBLE_DATE, FULL, table["birth_form"][rows]
    )


def _break_register(chance: np.random.Generator, people: Table, records: dict[str, Table]) -> None:
    """Only people without records in any source, so that a quarantined register record hides nothing."""
    known = np.zeros(len(people), dtype=bool)
    for table in records.values():
        known[table["person"][table["person"] >= 0]] = True
    free = np.flatnonzero((people["status"] == ALIVE) & ~people["deleted"] & ~known & ~people["claimed"])
    rows = chance.choice(free, size=max(3, round(len(people) * rates.BROKEN)), replace=False)
    kinds = np.array([Fault.WRONG_TYPE, Fault.IMPOSSIBLE_DATE, Fault.MISSING_NAME], dtype=np.int8)
    people["fault"][rows] = np.resize(kinds, len(rows))
