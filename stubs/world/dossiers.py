"""Dossiers filed with the portal: who filed what, how far it has come, with which documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stubs.world.clock import DAY, START, generator
from stubs.world.people.numbers import Numbers
from stubs.world.people.people import ALIVE, past
from stubs.world.planting import rates
from stubs.world.planting.rates import Fault, Plant
from stubs.world.records import ACTIVE
from stubs.world.table import Array, Table

NEW, ACCEPTED, REFUSED, WORKED_ON, WANTING, UNPAID, WITHDRAWN, STOPPED, DONE, RETURNED = range(1, 11)
"""Dossier statuses (trạng thái hồ sơ) as in exchange_codes.json."""
OPEN = (NEW, ACCEPTED, WORKED_ON, WANTING, UNPAID)
NEXT = {
    NEW: ACCEPTED,
    ACCEPTED: WORKED_ON,
    WORKED_ON: DONE,
    WANTING: WORKED_ON,
    UNPAID: WORKED_ON,
    DONE: RETURNED,
}
_PER_ACCOUNT = 0.3


@dataclass(frozen=True)
class Procedure:
    """An administrative procedure (thủ tục hành chính): code, title, field and the days it may take."""

    code: str
    title: str
    field: str
    days: int

    @property
    def result(self) -> str:
        """The code of its result (mã giấy tờ kết quả) in this world: of the agency in charge, and its own."""
        return f"KQ.{self.field[:3]}.{self.code[2:]}"


PROCEDURES = (
    Procedure("1.004222", "Đăng ký thường trú", "G01-CT", 7),
    Procedure("1.004194", "Đăng ký tạm trú", "G01-CT", 3),
    Procedure("1.003677", "Khai báo tạm vắng", "G01-CT", 1),
    Procedure("2.001159", "Thông báo lưu trú", "G01-CT", 1),
    Procedure("1.001193", "Đăng ký khai sinh", "G15-HT", 1),
    Procedure("1.000656", "Đăng ký khai tử", "G15-HT", 1),
    Procedure("1.000894", "Đăng ký kết hôn", "G15-HT", 1),
    Procedure("1.002809", "Cấp đổi, cấp lại giấy phép lái xe", "G09-GPLX", 5),
    Procedure("3.000333", "Cấp Phiếu lý lịch tư pháp", "G15-LLTP", 10),
    Procedure("1.001978", "Giải quyết hưởng trợ cấp thất nghiệp", "G14-VL", 20),
)


def found_dossiers(seed: int, people: Table, accounts: Table, numbers: Numbers) -> Table:
    """The dossiers of the last three years, a few of them broken."""
    chance = generator(seed, 0, "dossiers")
    owners = eligible_accounts(people, accounts)
    rows = np.sort(chance.choice(owners, size=round(len(accounts) * _PER_ACCOUNT)))
    table = file_dossiers(
        people, accounts, rows, past(chance, len(rows), years=3, skew=1.7), numbers=numbers, chance=chance
    )
    _progress(table, chance)
    broken = chance.choice(
        len(table), size=min(len(table), max(3, round(len(table) * rates.BROKEN))), replace=False
    )
    kinds = np.array([Fault.WRONG_TYPE, Fault.IMPOSSIBLE_DATE, Fault.MISSING_NAME], dtype=np.int8)
    table["fault"][broken] = np.resize(kinds, len(broken))
    whole = table["fault"] == Fault.NONE
    table["deleted"] = whole & (chance.random(len(table)) < rates.DELETED)
    return table


def eligible_accounts(people: Table, accounts: Table) -> Array:
    """Rows of accounts whose owner can file: alive, nothing odd about the account."""
    sound = (accounts["plant"] == Plant.NONE) & (accounts["fault"] == Fault.NONE) & ~accounts["deleted"]
    sound &= (accounts["status"] == ACTIVE) & (accounts["pid"] > 0)
    return np.flatnonzero(sound & (people["status"][accounts["person"]] == ALIVE))


def file_dossiers(
    people: Table, accounts: Table, rows: Array, at: Array, *, numbers: Numbers, chance: np.random.Generator
) -> Table:
    """New dossiers of the accounts `rows`, filed at the moments `at`."""
    count, person = len(rows), accounts["person"][rows]
    table = Table(
        {
            "key": numbers.running("dossier", count),
            "account": accounts["key"][rows],
            "person": person,
            "procedure": chance.integers(0, len(PROCEDURES), count),
            "filed": at,
            "finished": np.zeros(count, dtype=np.int64),
            "updated": at.copy(),
            "status": np.full(count, NEW, dtype=np.int8),
            "channel": chance.choice([1, 2, 3], size=count, p=[0.25, 0.7, 0.05]),
            "documents": chance.integers(0, 5, count),
            "old_number": (at < START - 900 * DAY) | (chance.random(count) < 0.1),
            "office": chance.integers(1, 64, count),
            "verified": chance.random(count) < 0.7,
            "form": chance.integers(0, 2**32, count, dtype=np.uint32),
            "deleted": np.zeros(count, dtype=bool),
            "fault": np.zeros(count, dtype=np.int8),
        }
    )
    for name in ("ho", "dem", "ten", "pid", "phone"):
        table[name] = people[name][person]
    table["mail"] = accounts["mail"][rows]
    return table


def _progress(table: Table, chance: np.random.Generator) -> None:
    """Dossiers older than a month are mostly over; the others stand where chance left them."""
    old = table["filed"] < START - 30 * DAY
    over = chance.choice(
        [RETURNED, DONE, REFUSED, WITHDRAWN, STOPPED], len(table), p=[0.8, 0.08, 0.05, 0.04, 0.03]
    )
    under_way = chance.choice(OPEN, len(table), p=[0.2, 0.25, 0.4, 0.1, 0.05])
    table["status"] = np.where(old, over, under_way).astype(np.int8)
    took = (DAY * (0.2 + 20 * chance.random(len(table)))).astype(np.int64)
    so_far = ((START - 1 - table["filed"]) * chance.random(len(table))).astype(np.int64)
    table["updated"] = table["filed"] + np.where(old, took, so_far)
    table["finished"] = np.where(old, table["updated"], 0)
