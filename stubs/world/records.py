"""What portal, tax, customs and banking hold: one row a record, showing the person as of its statement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stubs.world.clock import DAY, SECOND, START, generator, local_day, start_of_day
from stubs.world.people import names
from stubs.world.people.households import YEAR
from stubs.world.people.lexicon import lexicon
from stubs.world.people.numbers import Numbers
from stubs.world.people.people import DEAD, past
from stubs.world.people.places import REFORM, places
from stubs.world.planting import rates
from stubs.world.table import Array, Table

ACTIVE, CLOSED, DECEASED = 0, 1, 2
FULL, MONTH_YEAR, YEAR_ALONE, NO_BIRTH = range(4)
TEN, THIRTEEN, TWELVE = range(3)
"""Kinds of tax code by their digits."""
PERSON, BUSINESS = 0, 1
"""Kinds of customs declarant."""


@dataclass(frozen=True)
class Habits:
    """How a source covers people and which of their details it states; all shares of one."""

    least_age: int
    coverage: float
    children: float
    national_id: float
    phone: float
    mail: float
    address: float
    tax_code: float
    birth_forms: tuple[float, float, float, float]
    """Shares of full dates, months, years and no date at all."""
    tick: int
    """Resolution of the statement time in microseconds."""


HABITS = {
    "portal": Habits(18, 0.56, 0.0, 0.3, 0.88, 0.9, 0.85, 0.0, (0.9, 0, 0.1, 0), 1),
    "tax": Habits(18, 0.70, 0.03, 0.4, 0.6, 0.4, 0.92, 0.0, (0.88, 0.05, 0.07, 0), SECOND),
    "customs": Habits(18, 0.05, 0.0, 0.3, 0.75, 0.0, 1.0, 0.4, (0, 0, 0, 1), SECOND),
    "banking": Habits(18, 0.58, 0.01, 0.25, 0.92, 0.5, 0.95, 0.25, (0.96, 0, 0, 0.04), SECOND),
}


def found_records(source: str, seed: int, people: Table, numbers: Numbers, coverage: float = 1.0) -> Table:
    """A source's records at the world's first moment, nothing planted yet."""
    chance = generator(seed, 0, source)
    habits = HABITS[source]
    age = (START // DAY - people["birth"]) / YEAR
    grown = min(1.0, coverage * habits.coverage)
    covered = np.where(age >= habits.least_age, grown, np.where(age < 1, 0, habits.children))
    rows = np.flatnonzero((chance.random(len(people)) < covered) & ~people["deleted"])
    if source == "banking":  # some have two accounts
        rows = np.sort(np.concatenate([rows, rows[chance.random(len(rows)) < 0.12]]))
    records = state(source, people, rows, _statement_times(chance, people, rows, habits), chance)
    give_keys(source, records, people, numbers, chance)
    if source == "tax":
        records.append(_household_businesses(records, chance))
    _end_some(source, records, people, chance)
    if source == "customs":
        records.append(
            businesses(len(records) // 3, past(chance, len(records) // 3, skew=1.7), numbers, chance)
        )
    return records


def _statement_times(chance: np.random.Generator, people: Table, rows: Array, habits: Habits) -> Array:
    """Skewed to the recent; not before the person was sixteen, and not after death."""
    grown = start_of_day(people["birth"][rows]) + int(16 * YEAR) * DAY
    first = np.minimum(np.maximum(START - int(5 * YEAR) * DAY, grown), START - 90 * DAY)
    last = np.where(people["status"][rows] == DEAD, start_of_day(people["died"][rows]) - DAY, START - SECOND)
    first = np.minimum(first, last - 30 * DAY)
    at = last - ((last - first) * chance.random(len(rows)) ** 1.7).astype(np.int64)
    return np.asarray(at // habits.tick * habits.tick)


def state(source: str, people: Table, rows: Array, at: Array, chance: np.random.Generator) -> Table:
    """Records of the given people as they were at the moments `at`, without keys."""
    habits, count = HABITS[source], len(rows)
    chosen = chance.random((5, count))
    forms = chance.choice(4, size=count, p=habits.birth_forms)
    records = Table(
        {
            "person": rows.astype(np.int64),
            "key": np.zeros(count, dtype=np.int64),
            "kind": np.zeros(count, dtype=np.int8),
            "updated": at,
            "deleted": np.zeros(count, dtype=bool),
            "status": np.zeros(count, dtype=np.int8),
            "plant": np.zeros(count, dtype=np.int8),
            "fault": np.zeros(count, dtype=np.int8),
            "birth_form": np.where(
                people["year_only"][rows] & (forms == FULL) & (chance.random(count) < 0.7), YEAR_ALONE, forms
            ).astype(np.int8)
            if source in {"portal", "tax"}
            else forms.astype(np.int8),
            "cmnd": np.where(chosen[0] < habits.national_id, people["cmnd"][rows], -1),
            "mst": np.where(chosen[1] < habits.tax_code, people["mst"][rows], -1),
            "mail": np.where(chosen[2] < habits.mail, people["mail"][rows], -1).astype(np.int16),
            "states_phone": chosen[3] < habits.phone,
            "states_addr": chosen[4] < habits.address,
            "opened": local_day(at) - chance.integers(1, 1500, count),
            "form": chance.integers(0, 2**32, count, dtype=np.uint32),
        }
    )
    for name in ("ho", "dem", "ten", "birth", "sex", "pid", "phone", "addr"):
        records[name] = people[name][rows].copy()
    restate_past(records, people)
    records["addr_old"] = records["updated"] < REFORM
    return records


def restate_past(records: Table, people: Table) -> None:
    """Put back what the person had at the time of the statement: number, phone and address of then."""
    rows, at = records["person"], records["updated"]
    earlier = at < people["reissued_at"][rows]
    records["pid"] = np.where(earlier, people["prev_pid"][rows], records["pid"])
    earlier = at < people["phone_at"][rows]
    records["phone"] = np.where(earlier, people["prev_phone"][rows], records["phone"])
    records["phone"] = np.where(records["states_phone"], records["phone"], 0)
    earlier = at < people["moved_at"][rows]
    records["addr"] = np.where(earlier, people["prev_addr"][rows], records["addr"])
    records["addr"] = np.where(records["states_addr"], records["addr"], -1)


def give_keys(
    source: str, records: Table, people: Table, numbers: Numbers, chance: np.random.Generator
) -> None:
    """Each record's own key; at tax the personal number itself for many registrations since July 2025."""
    count = len(records)
    if source == "banking":
        records["key"] = numbers.bank_accounts(count)
    elif source != "tax":
        records["key"] = numbers.running(source, count)
    else:
        recent = (records["updated"] >= REFORM) & (chance.random(count) < 0.5)
        ten = np.flatnonzero(~recent)
        records["kind"] = np.where(recent, TWELVE, TEN).astype(np.int8)
        records["key"] = records["pid"].copy()
        records["key"][ten] = numbers.tax_codes(len(ten))
        people["mst"][records["person"][ten]] = records["key"][ten]


def _household_businesses(records: Table, chance: np.random.Generator) -> Table:
    """A second, 13-digit code for people who run a business from home."""
    rows = np.flatnonzero((records["kind"] == TEN) & (chance.random(len(records)) < 0.05))
    branches = records.take(rows)
    branches["kind"][:] = THIRTEEN
    branches["form"] = chance.integers(0, 2**32, len(rows), dtype=np.uint32)
    branches["updated"] += SECOND * (1 + branches["form"].astype(np.int64) % 50)
    branches["updated"] = np.minimum(branches["updated"], START - SECOND)
    return branches


def _end_some(source: str, records: Table, people: Table, chance: np.random.Generator) -> None:
    """Close, delete, and let most sources know of their dead."""
    count = len(records)
    dead = people["status"][records["person"]] == DEAD
    drawn = chance.random(count)
    aware = dead & (drawn < rates.AWARE_OF_DEATH)
    closed = np.where(dead, drawn > 1 - rates.CLOSED_BEFORE_DEATH, drawn < 0.06)
    closed &= source != "customs"  # its files know only active and deceased
    records["status"] = np.select([aware, closed], [DECEASED, CLOSED], ACTIVE).astype(np.int8)
    records["plant"][dead & (records["status"] == ACTIVE)] = rates.Plant.UNAWARE_OF_DEATH
    heard = start_of_day(people["died"][records["person"]]) + (DAY * (1 + 50 * chance.random(count))).astype(
        np.int64
    )
    heard = np.minimum(heard, START - SECOND) // SECOND * SECOND
    records["updated"] = np.where(aware, np.maximum(records["updated"], heard), records["updated"])
    records["deleted"] = ~dead & (chance.random(count) < rates.DELETED)


def businesses(count: int, at: Array, numbers: Numbers, chance: np.random.Generator) -> Table:
    """Customs declarants that are companies. Their name columns contain kind, trade and a proper name."""
    nobody = np.full(count, -1, dtype=np.int64)
    nothing = np.zeros(count, dtype=np.int64)
    columns = dict.fromkeys(("person", "cmnd", "mail", "addr"), nobody)
    columns |= dict.fromkeys(("deleted", "status", "plant", "fault", "birth", "sex", "pid"), nothing)
    return Table(
        columns
        | {
            "key": numbers.running("customs", count),
            "kind": np.full(count, BUSINESS),
            "updated": at // SECOND * SECOND,
            "birth_form": np.full(count, NO_BIRTH),
            "mst": numbers.tax_codes(count, business=True),
            "states_phone": np.ones(count, dtype=bool),
            "states_addr": np.ones(count, dtype=bool),
            "opened": local_day(at) - chance.integers(1, 1500, count),
            "form": chance.integers(0, 2**32, count, dtype=np.uint32),
            "ho": chance.choice(len(names.COMPANY_KINDS), count, p=[0.5, 0.25, 0.15, 0.1]),
            "dem": chance.integers(0, len(names.COMPANY_TRADES), count),
            "ten": chance.choice(lexicon().numbers(names.GIVEN_MALE_YOUNG), count),
            "phone": numbers.phones(count),
            "addr_old": at < REFORM,
        }
    )


def business_addresses(records: Table, addresses: Table, chance: np.random.Generator) -> None:
    """Give companies without an address one of their own."""
    rows = np.flatnonzero((records["kind"] == BUSINESS) & (records["person"] < 0) & (records["addr"] < 0))
    records["addr"][rows] = addresses.append(places().addresses(chance, places().draw(chance, len(rows))))
