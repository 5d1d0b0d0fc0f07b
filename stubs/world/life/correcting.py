"""A day on which sources correct the records that the hub reports, and nothing else happens."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from stubs.world.clock import DAY
from stubs.world.life.events import Day, touch
from stubs.world.people.people import DEAD
from stubs.world.planting.rates import Plant
from stubs.world.records import ACTIVE, DECEASED, FULL, MONTH_YEAR, TWELVE, YEAR_ALONE
from stubs.world.state import SOURCES, State
from stubs.world.table import Array, Table
from stubs.world.truth.discrepancies import believed_phones, discrepancies_among, source_keys
from stubs.world.truth.linking import find_links, sound


def correct_sources(state: State, sources: Iterable[str] = SOURCES) -> int:
    """Bring every record of these sources that disagrees into line; returns how many there were.

    A record states its person anew, with the phone that is believed. A second record of a person is deleted.
    A registration whose key is a former personal number is deleted, and made anew under the present one.
    """
    state.day += 1
    links = find_links(state)
    wrong, phones = discrepancies_among(state, links), np.zeros(len(state.people), dtype=np.int64)
    believed = believed_phones(state, links)
    phones[believed["person"].to_numpy()] = believed["right"].to_numpy()
    count = 0
    for source in sources:
        table, reported = state.records[source], wrong.filter(source=source)
        keys, day = source_keys(source, table), Day.of(state, f"{source}-in-line")
        again = _rows(table, keys, reported.filter(kind="duplicate"))
        keyed = _rows(table, keys, reported.filter(attribute="personal_id"))
        keyed = np.setdiff1d(keyed[table["kind"][keyed] == TWELVE], again)
        rows = np.setdiff1d(_rows(table, keys, reported), np.union1d(again, keyed))
        count += len(rows) + len(again) + len(keyed)
        _delete(table, np.union1d(again, keyed), day)
        _state_anew(
            state.people, table, np.append(rows, _renumbered(state.people, table, keyed)), phones, day
        )
    state.now += DAY
    return count


def _rows(table: Table, keys: pl.Series, reported: pl.DataFrame) -> Array:
    return np.flatnonzero(keys.is_in(reported["source_key"].to_list()).to_numpy() & sound(table))


def _delete(table: Table, rows: Array, day: Day) -> None:
    table["deleted"][rows] = True
    touch(table, rows, day.moments(len(rows)))


def _renumbered(people: Table, table: Table, rows: Array) -> Array:
    """New rows under the present numbers, for people who have no such registration yet."""
    anew = table.take(rows)
    anew["key"] = people["pid"][anew["person"]]
    anew["deleted"][:] = False
    return table.append(anew.take(np.flatnonzero(~np.isin(anew["key"], table["key"]))))


def _state_anew(people: Table, table: Table, rows: Array, phones: Array, day: Day) -> None:
    person = table["person"][rows]
    for name in ("ho", "dem", "ten", "birth", "sex", "pid"):
        table[name][rows] = people[name][person]
    partial = np.isin(table["birth_form"][rows], [MONTH_YEAR, YEAR_ALONE]) & ~people["year_only"][person]
    table["birth_form"][rows[partial]] = FULL
    addressed = table["addr"][rows] >= 0
    table["addr"][rows[addressed]] = people["addr"][person[addressed]]
    reached = (table["phone"][rows] > 0) & (phones[person] > 0)
    table["phone"][rows[reached]] = phones[person[reached]]
    outlived = (table["status"][rows] == ACTIVE) & (people["status"][person] == DEAD)
    table["status"][rows[outlived]] = DECEASED
    table["plant"][rows] = Plant.NONE
    touch(table, rows, day.moments(len(rows)))
