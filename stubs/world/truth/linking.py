"""Which person of the register each record leads to, by the identifiers it states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stubs.world.planting.rates import Fault, Plant
from stubs.world.records import TWELVE
from stubs.world.state import SOURCES, State
from stubs.world.table import Array, Table

PERSONAL_ID, FORMER_PERSONAL_ID, NATIONAL_ID_9, TAX_CODE, WRONG_PERSON, NONE = range(6)
METHODS = ("personal_id", "former_personal_id", "national_id_9", "tax_code", "wrong_person", "none")


@dataclass(frozen=True)
class Links:
    """For each record of a source its person (row, -1 for nobody) and the method, an index of `METHODS`."""

    person: Array
    method: Array


@dataclass(frozen=True)
class _Lookup:
    """Sorted identifiers and whom each belongs to."""

    values: Array
    persons: Array

    @classmethod
    def of(cls, values: Array, persons: Array) -> _Lookup:
        """Only values that exactly one person has."""
        order = np.argsort(values, kind="stable")
        values, persons = values[order], persons[order]
        others = np.zeros(len(values), dtype=bool)
        # A person may own a value several times (two registrations under one code); two persons may not.
        differs = (values[1:] == values[:-1]) & (persons[1:] != persons[:-1])
        others[1:] |= differs
        others[:-1] |= differs
        clean = ~np.isin(values, values[others])
        return cls(values[clean], persons[clean])

    def find(self, sought: Array) -> Array:
        """The person of each identifier, -1 where there is none."""
        if not len(self.values):
            return np.full(len(sought), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.values, sought), len(self.values) - 1)
        return np.where(self.values[place] == sought, self.persons[place], -1)


def sound(table: Table) -> Array:
    """Records that are neither deleted nor broken."""
    return np.asarray(~table["deleted"] & (table["fault"] == Fault.NONE))


def find_links(state: State) -> dict[str, Links]:
    """Links of every source's records; deleted and broken ones lead to nobody."""
    people, former = state.people, state.former
    registered = np.flatnonzero(sound(people))
    valid = sound(people)[former["person"]] & ~np.isin(former["pid"], people["pid"][registered])
    carded = registered[people["cmnd"][registered] >= 0]
    by_number = (
        _Lookup.of(people["pid"][registered], registered),
        _Lookup.of(former["pid"][valid], former["person"][valid]),
        _Lookup.of(people["cmnd"][carded], carded),
    )
    tax = _by_numbers(state.records["tax"], by_number)
    coded = np.flatnonzero((tax.method < TAX_CODE) & (state.records["tax"]["kind"] != TWELVE))
    by_tax_code = _Lookup.of(state.records["tax"]["key"][coded], tax.person[coded])
    links = {source: _by_numbers(state.records[source], by_number) for source in SOURCES if source != "tax"}
    return {
        source: _by_code(source, state.records[source], found, by_tax_code)
        for source, found in (links | {"tax": tax}).items()
    }


def _by_numbers(table: Table, by_number: tuple[_Lookup, _Lookup, _Lookup]) -> Links:
    person = np.full(len(table), -1, dtype=np.int64)
    method = np.full(len(table), NONE, dtype=np.int8)
    stated = (table["pid"], table["pid"], table["cmnd"])
    for kind, (lookup, identifier) in enumerate(zip(by_number, stated, strict=True)):
        open_rows = np.flatnonzero(
            (person < 0) & sound(table) & (identifier > 0 if kind < 2 else identifier >= 0)
        )
        found = lookup.find(identifier[open_rows])
        hit = open_rows[found >= 0]
        person[hit], method[hit] = found[found >= 0], kind
    elsewhere = (person >= 0) & (person != table["person"])
    assert not (elsewhere & (table["plant"] != Plant.WRONG_PERSON)).any()
    method[elsewhere] = WRONG_PERSON
    return Links(person, method)


def _by_code(source: str, table: Table, links: Links, by_tax_code: _Lookup) -> Links:
    # At tax it is the record's own: the code of a household business begins with its owner's.
    codes = np.where(table["kind"] == TWELVE, 0, table["key"]) if source == "tax" else table["mst"]
    open_rows = np.flatnonzero((links.method == NONE) & sound(table) & (codes > 0))
    found = by_tax_code.find(codes[open_rows])
    hit = open_rows[found >= 0]
    links.person[hit], links.method[hit] = found[found >= 0], TAX_CODE
    return links


def linked(links: Links) -> Array:
    """Rows of records that lead to the person they are about."""
    return np.flatnonzero((links.person >= 0) & (links.method != WRONG_PERSON))
