"""Make the sources' records as dirty as a level of dirt says, beside what is planted."""

from __future__ import annotations

import numpy as np

from stubs.world.clock import generator
from stubs.world.people.lexicon import lexicon
from stubs.world.people.people import ALIVE
from stubs.world.planting.dirt import Dirt
from stubs.world.planting.rates import Fault, Plant
from stubs.world.records import FULL, TWELVE, YEAR_ALONE
from stubs.world.state import SOURCES
from stubs.world.table import Array, Table

_LAST_DIGITS = 8  # of a personal number: those before them are checked against a list


def soil(seed: int, people: Table, records: dict[str, Table], dirt: Dirt) -> None:
    """Soil every source's records in place; a share of zero changes nothing and draws nothing others draw."""
    for source in SOURCES:
        chance = generator(seed, 0, f"dirt-{source}")
        table = records[source]
        _reorder_names(table, chance, dirt)
        _respell_names(table, chance, dirt)
        if source in {"portal", "tax"}:
            rows = _some(chance, _ordinary(table) & (table["birth_form"] == FULL), dirt.year_alone)
            table["birth_form"][rows] = YEAR_ALONE
        if source == "portal":
            rows = _some(chance, _ordinary(table) & (table["addr"] >= 0), dirt.former_codes)
            table["addr_old"][rows] = True
        _state_relatives_numbers(table, people, chance, dirt)
        _mistype_numbers(table, people, chance, dirt)
        _take_numbers(table, chance, dirt)


def _ordinary(table: Table) -> Array:
    """Readable records of people whose identifiers, if any, lead to the right person."""
    read = ~table["deleted"] & (table["fault"] == Fault.NONE)
    return np.asarray(read & (table["person"] >= 0) & (table["plant"] != Plant.WRONG_PERSON))


def _some(chance: np.random.Generator, allowed: Array, share: float) -> Array:
    return np.flatnonzero(allowed & (chance.random(len(allowed)) < share))


def _reorder_names(table: Table, chance: np.random.Generator, dirt: Dirt) -> None:
    rows = _some(chance, _ordinary(table) & (table["plant"] == Plant.NONE), dirt.names_out_of_order)
    table["ho"][rows], table["ten"][rows] = table["ten"][rows], table["ho"][rows]
    table["plant"][rows] = Plant.MISTYPED_NAME


def _respell_names(table: Table, chance: np.random.Generator, dirt: Dirt) -> None:
    for respelled, share in (
        (lexicon().tones_confused, dirt.tones_confused),
        (lexicon().accents_lost, dirt.accents_lost),
    ):
        rows = _some(chance, _ordinary(table), share)
        for part in ("ho", "dem", "ten"):
            table[part][rows] = respelled(table[part][rows])


def _numbered(table: Table) -> Array:
    """Records that state a personal number; at tax it may be the key, which cannot be mistaken."""
    return np.asarray(_ordinary(table) & (table["pid"] > 0) & (table["kind"] != TWELVE))


def _state_relatives_numbers(table: Table, people: Table, chance: np.random.Generator, dirt: Dirt) -> None:
    relative = np.full(len(people), -1, dtype=np.int64)
    known = (people["status"] == ALIVE) & ~people["deleted"] & (people["fault"] == Fault.NONE)
    for tie in ("father", "mother", "spouse"):
        relative = np.where((people[tie] >= 0) & known[people[tie]], people[tie], relative)
    fit = _numbered(table) & (table["plant"] == Plant.NONE) & (relative[table["person"]] >= 0)
    rows = _some(chance, fit, dirt.relatives_number)
    other = relative[table["person"][rows]]
    table["pid"][rows] = people["pid"][other]
    table["plant"][rows] = Plant.WRONG_PERSON
    people["claimed"][other] = True


def _mistype_numbers(table: Table, people: Table, chance: np.random.Generator, dirt: Dirt) -> None:
    rows = _some(chance, _numbered(table), dirt.mistyped_number)
    mistyped = _mistyped(table["pid"][rows], chance)
    nobodys = ~np.isin(mistyped, np.concatenate([people["pid"], people["prev_pid"]]))
    table["pid"][rows[nobodys]] = mistyped[nobodys]


def _mistyped(numbers: Array, chance: np.random.Generator) -> Array:
    """One of the last digits wrong or, in one case of three where they differ, two of them exchanged."""
    low = 10 ** chance.integers(0, _LAST_DIGITS - 1, len(numbers))
    right, left = numbers // low % 10, numbers // (10 * low) % 10
    exchanged = numbers + (left - right) * low + (right - left) * 10 * low
    wrong = numbers + ((right + chance.integers(1, 10, len(numbers))) % 10 - right) * low
    return np.asarray(np.where((chance.random(len(numbers)) < 1 / 3) & (left != right), exchanged, wrong))


def _take_numbers(table: Table, chance: np.random.Generator, dirt: Dirt) -> None:
    rows = _some(chance, _numbered(table), dirt.no_number)
    table["pid"][rows], table["cmnd"][rows], table["mst"][rows] = 0, -1, -1
    clean = rows[table["plant"][rows] == Plant.NONE]
    table["plant"][clean] = Plant.NO_NUMBER
