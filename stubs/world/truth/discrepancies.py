"""The ground truth: which discrepancies the records hold, who each record is about, and which are broken.

Everything is computed from what the records state now against what the register and the other
sources state now, so that it holds after any number of days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from stubs.world.clock import DAY, calendar
from stubs.world.people.lexicon import lexicon
from stubs.world.people.people import DEAD
from stubs.world.people.places import places
from stubs.world.planting.rates import FAULT_NAMES, Fault, Plant
from stubs.world.planting.shortcomings import impossible_births, imprecise_births, shortcomings
from stubs.world.records import ACTIVE, FULL, MONTH_YEAR, NO_BIRTH
from stubs.world.render.names import padded
from stubs.world.render.population import register_key
from stubs.world.render.portal import dossier_numbers
from stubs.world.render.tax import tax_codes
from stubs.world.state import SOURCES, STREAMS, State
from stubs.world.table import Array, Table
from stubs.world.truth.linking import (
    METHODS,
    NATIONAL_ID_9,
    TAX_CODE,
    WRONG_PERSON,
    Links,
    find_links,
    linked,
    sound,
)

# How far a source is trusted on phones, as mappings/rules/survivorship.yaml has it; a tie goes to the first.
_PHONE_TRUST = {"portal": 0.9, "banking": 0.8, "tax": 0.6, "customs": 0.5}
_HALF_LIFE = 365.25 * DAY
_DOUBTFUL = 0.5


@dataclass(frozen=True)
class Truth:
    """What the engine should find and can never read."""

    discrepancies: pl.DataFrame
    """source, stream, source_key, attribute, kind (each of the hub's eight), register_id.

    The person is the one the record is about but, for `wrong_person`, whose number it states.
    """
    links: pl.DataFrame
    """source, stream, source_key, register_id (null for companies), method; live unbroken records."""
    broken: pl.DataFrame
    """source, stream, source_key, fault (wrong_type, impossible_date, missing_name, check_digit)."""


def truth_of(state: State) -> Truth:
    """The truth about the world as it stands."""
    links = find_links(state)
    return Truth(
        discrepancies=discrepancies_among(state, links),
        links=pl.concat(_link_rows(state, source, links[source]) for source in SOURCES),
        broken=pl.concat(_broken_rows(state)),
    )


def source_keys(source: str, table: Table) -> pl.Series:
    """The keys of a source's records as they are on the wire."""
    if source == "tax":
        return tax_codes(table)
    digits, prefix = {"portal": (8, "TK"), "customs": (7, "HQ"), "banking": (12, "9704")}[source]
    return padded(table["key"], digits, prefix)


def _rows(source: str, stream: str, keys: pl.Series, **columns: pl.Series | str) -> pl.DataFrame:
    frame = pl.DataFrame({"source_key": keys})
    constant = {"source": source, "stream": stream} | {k: v for k, v in columns.items() if isinstance(v, str)}
    frame = frame.with_columns(**{name: pl.lit(value) for name, value in constant.items()})
    frame = frame.with_columns(**{k: v for k, v in columns.items() if isinstance(v, pl.Series)})
    return frame.select("source", "stream", "source_key", *columns)


def _link_rows(state: State, source: str, links: Links) -> pl.DataFrame:
    table = state.records[source]
    rows = np.flatnonzero(sound(table))
    method = pl.Series(METHODS).gather(pl.Series(links.method[rows].astype(np.int64)))
    keys, about = source_keys(source, table.take(rows)), register_key(table["person"][rows])
    return _rows(source, STREAMS[source], keys, register_id=about, method=method)


def _broken_rows(state: State) -> Iterator[pl.DataFrame]:
    people = Table(state.people.columns | {"row": np.arange(len(state.people))})
    yield _faults("population", "citizens", people)
    for source in SOURCES:
        yield _faults(source, STREAMS[source], state.records[source])
    yield _faults("portal", "dossiers", state.dossiers)


def _faults(source: str, stream: str, table: Table) -> pl.DataFrame:
    broken = table.take(np.flatnonzero((table["fault"] != Fault.NONE) & ~table["deleted"]))
    if stream == "citizens":
        keys = register_key(broken["row"])
    else:
        keys = dossier_numbers(broken) if stream == "dossiers" else source_keys(source, broken)
    names = pl.Series([FAULT_NAMES.get(fault, "") for fault in Fault])
    return _rows(source, stream, keys, fault=names.gather(pl.Series(broken["fault"].astype(np.int64))))


def discrepancies_among(state: State, links: dict[str, Links]) -> pl.DataFrame:
    """What records state otherwise than is to be believed of the people that `links` ties them to."""
    found = [each for source in SOURCES for each in _of_source(state, source, links[source])]
    found += _wrong_phones(state, links)
    return pl.concat(found).sort("source", "source_key", "attribute")


def _of_source(state: State, source: str, links: Links) -> Iterator[pl.DataFrame]:
    table = state.records[source]
    rows = linked(links)

    def found(at: Array, attribute: str, conflict: Plant | None, kind: str = "stale") -> pl.DataFrame:
        kinds = pl.Series([kind, "conflict"])
        planted = np.zeros(len(at), dtype=np.int64) if conflict is None else (table["plant"][at] == conflict)
        keys = source_keys(source, table.take(at))
        return _rows(
            source,
            STREAMS[source],
            keys,
            attribute=attribute,
            kind=kinds.gather(pl.Series(planted.astype(np.int64))),
            register_id=register_key(links.person[at]),
        )

    records, people = table.take(rows), state.people.take(links.person[rows])
    yield found(rows[~_same_name(records, people)], "full_name", Plant.MISTYPED_NAME)
    if source != "customs":
        same, impossible = _same_birth(records, people), impossible_births(records)
        yield found(rows[~same & ~impossible], "birth_date", Plant.BIRTH_SWAPPED)
        yield found(rows[~same & impossible], "birth_date", None, "invalid")
        yield found(rows[same & imprecise_births(records, people)], "birth_date", None, "form")
    if source in {"portal", "tax"}:
        yield found(rows[records["sex"] != people["sex"]], "sex", Plant.WRONG_SEX)
        yield found(rows[~_same_address(state, records, people)], "permanent_address", None)
    outlived = (people["status"] == DEAD) & (records["status"] == ACTIVE)
    yield found(rows[outlived], "life_status", None, "deceased")
    yield found(np.flatnonzero(links.method == WRONG_PERSON), "personal_id", None, "wrong_person")
    for at, attribute, kind in shortcomings(state, source, links, source_keys(source, table)):
        yield found(at, attribute, None, kind)


def _same_name(records: Table, people: Table) -> Array:
    left, right = ((each["ho"], each["dem"], each["ten"]) for each in (records, people))
    return lexicon().same_name(left, right)


def _same_birth(records: Table, people: Table) -> Array:
    """Compared as far as both state it: a year alone agrees with any day of that year."""
    year, month, day = (
        a == b for a, b in zip(calendar(records["birth"]), calendar(people["birth"]), strict=True)
    )
    form = np.where(people["year_only"] & (records["birth_form"] <= MONTH_YEAR), -1, records["birth_form"])
    return np.select(
        [form == FULL, form == MONTH_YEAR, form == NO_BIRTH], [year & month & day, year & month, True], year
    )


def _same_address(state: State, records: Table, people: Table) -> Array:
    pair = state.addresses["pair"]
    own, registered = pair[np.maximum(records["addr"], 0)], pair[people["addr"]]
    return places().agree(own, records["addr_old"], registered, people["addr_old"]) | (records["addr"] < 0)


def believed_phones(state: State, links: dict[str, Links]) -> pl.DataFrame:
    """The golden value of each person with a stated number: person (row), right, since."""
    _, best = _phones(state, links)
    return best


def _phones(state: State, links: dict[str, Links]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All that is stated, and of each person's statements the weightiest: trust, halved each half-life."""
    stated = pl.concat(
        pl.DataFrame(
            {
                "person": links[source].person[rows],
                "phone": table["phone"][rows],
                "updated": table["updated"][rows],
                "weight": table["updated"][rows] / _HALF_LIFE + np.log2(trust * doubtful[rows]),
                "order": np.full(len(rows), order),
                "row": rows,
            }
        )
        for order, (source, trust) in enumerate(_PHONE_TRUST.items())
        for table in [state.records[source]]
        for doubtful in [np.where(_doubtful(source, table, links[source]), _DOUBTFUL, 1)]
        for rows in [linked(links[source])[table["phone"][linked(links[source])] > 0]]
    )
    best = stated.sort(["weight", "updated", "order", "row"], descending=[True, True, False, False])
    best = best.unique("person", keep="first", maintain_order=True)
    return stated, best.select("person", right="phone", since="updated")


def _wrong_phones(state: State, links: dict[str, Links]) -> list[pl.DataFrame]:
    """Numbers other than the believed are stale where they were stated before it; else they conflict."""
    stated, best = _phones(state, links)
    wrong = stated.join(best, on="person").filter(pl.col("phone") != pl.col("right"))
    earlier = pl.col("updated") < pl.col("since")
    return [
        _rows(
            source,
            STREAMS[source],
            source_keys(source, table.take(rows)),
            attribute="phone",
            kind=kind,
            register_id=register_key(links[source].person[rows]),
        )
        for kind, of_kind in (("stale", wrong.filter(earlier)), ("conflict", wrong.filter(~earlier)))
        for order, source in enumerate(_PHONE_TRUST)
        for table in [state.records[source]]
        for rows in [of_kind.filter(pl.col("order") == order)["row"].sort().to_numpy()]
    ]


def _doubtful(source: str, table: Table, links: Links) -> Array:
    """Records linked by less than a personal number, or whose own number does not fit birth year or sex."""
    century = table["pid"] // 10**8 % 10
    year = 1900 + century // 2 * 100 + table["pid"] // 10**6 % 100
    wrong_year = (source != "customs") & (table["birth_form"] != NO_BIRTH)
    wrong_year = wrong_year & (year != calendar(table["birth"])[0])
    wrong_sex = (source in {"portal", "tax"}) & (century % 2 != table["sex"] - 1)
    by_less = np.isin(links.method, [NATIONAL_ID_9, TAX_CODE])
    return np.asarray(by_less | ((table["pid"] > 0) & (wrong_year | wrong_sex)))
