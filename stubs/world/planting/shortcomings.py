"""Finds faults that are not contradictions: wrong numbers, imprecise values, gaps and duplicate people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from stubs.world.clock import calendar, local_day
from stubs.world.records import FULL, NO_BIRTH, THIRTEEN, TWELVE
from stubs.world.state import State
from stubs.world.table import Array, Table
from stubs.world.truth.linking import Links, linked

Finding = tuple[Array, str, str]
"""Rows of a source's records, the attribute, and the kind of discrepancy."""

# Streams with one record a person, and the attribute under which a second record is reported.
_ONE_A_PERSON = {"portal": "personal_id", "tax": "tax_code", "customs": "personal_id"}
_OLDEST = 130


def shortcomings(state: State, source: str, links: Links, keys: pl.Series) -> Iterator[Finding]:
    """All faults of a source's linked records except differing values; `keys` of all records."""
    rows = linked(links)
    records, people = state.records[source].take(rows), state.people.take(links.person[rows])
    gap = (records["pid"] == 0) & (records["kind"] != TWELVE)
    number = _other_number(state, records, people, links.person[rows])
    yield rows[gap], "personal_id", "missing"
    for index, kind in enumerate(("stale", "invalid", "conflict")):
        yield rows[number == index], "personal_id", kind
    if source in _ONE_A_PERSON:
        attribute = _ONE_A_PERSON[source]
        again = _held_again(records, links.person[rows], keys.gather(pl.Series(rows)))
        if attribute == "personal_id":
            again &= ~gap & (number < 0)
        yield rows[again], attribute, "duplicate"


def impossible_births(records: Table) -> Array:
    """Births in a year after the statement, or longer ago than anybody lives."""
    stated = calendar(local_day(records["updated"]))[0]
    born = calendar(records["birth"])[0]
    return np.asarray((born > stated) | (born < stated - _OLDEST))


def imprecise_births(records: Table, people: Table) -> Array:
    """Birth dates less precise than the register's, whether or not they agree with it."""
    partial = (records["birth_form"] != FULL) & (records["birth_form"] != NO_BIRTH)
    return np.asarray(partial & ~people["year_only"])


def doubtful_numbers(numbers: Array, people: Table) -> Array:
    """Personal numbers whose century, sex or year is not that of the people."""
    fourth, year = numbers // 10**8 % 10, numbers // 10**6 % 100
    born = calendar(people["birth"])[0]
    return np.asarray((1900 + fourth // 2 * 100 + year != born) | (fourth % 2 != people["sex"] - 1))


def _other_number(state: State, records: Table, people: Table, person: Array) -> Array:
    """0 where a record states a number borne before, 1 an impossible one, 2 another one, -1 the right one."""
    former = state.former
    borne_before = np.isin(person * 10**12 + records["pid"], former["person"] * 10**12 + former["pid"])
    other = (records["pid"] > 0) & (records["pid"] != people["pid"])
    kinds = [~other, borne_before, doubtful_numbers(records["pid"], people)]
    return np.select(kinds, [-1, 0, 1], 2)


def _held_again(records: Table, person: Array, keys: pl.Series) -> Array:
    """All records of a person but that of the lowest key; the branch of a tax code is none of its own."""
    frame = pl.DataFrame({"person": person, "key": keys, "whole": records["kind"] != THIRTEEN})
    lowest = pl.col("key").filter(pl.col("whole")).min().over("person")
    return frame.select(again=pl.col("whole") & (pl.col("key") != lowest))["again"].to_numpy()
