"""Tax registrations: capitals, older names in TCVN3, dates as dd/MM/yyyy."""

from __future__ import annotations

import numpy as np
import polars as pl

from stubs.world.clock import dates, local_times
from stubs.world.people.lexicon import join_words, lexicon
from stubs.world.people.places import REFORM, places
from stubs.world.planting.rates import Fault
from stubs.world.records import CLOSED, DECEASED, MONTH_YEAR, THIRTEEN, TWELVE, YEAR_ALONE
from stubs.world.render.names import blank, choose, digit, mail, padded
from stubs.world.render.portal import spoil
from stubs.world.state import State
from stubs.world.table import Table


def registrations(state: State) -> pl.DataFrame:
    """Every registration, struck-off ones included, as the wire frame of `tax.registrations`."""
    table = state.records["tax"]
    frame = pl.DataFrame(
        {
            "mst": tax_codes(table),
            "soDinhDanh": padded(table["pid"], 12, missing=table["pid"] == 0),
            "soCMND": padded(table["cmnd"], 9, missing=table["cmnd"] < 0),
            "hoTen": blank(_name(table, state.dirt.tcvn3), table["fault"] == Fault.MISSING_NAME),
            "ngaySinh": _birth(table),
            "gioiTinh": pl.Series(["", "1", "0"]).gather(pl.Series(table["sex"].astype(np.int64))),
            "quocTich": pl.Series(["VN"]).new_from_index(0, len(table)),
            "diaChi": _address(state),
            "dienThoai": _phone(table),
            "email": mail(table),
            "coQuanThue": _office(state),
            "ngayCap": dates(table["opened"], "%d/%m/%Y"),
            "trangThai": _status(table),
            "ngayCapNhat": local_times(table["updated"], "%d/%m/%Y %H:%M:%S"),
        }
    )
    return frame.with_columns(_raw=spoil(frame, table, lambda row: row | {"gioiTinh": int(row["gioiTinh"])}))


def tax_codes(table: Table) -> pl.Series:
    """10 digits, 13 with a branch, or the 12 of the personal number; a broken one has a wrong tenth digit."""
    key = table["key"]
    last = key % 10
    wrong = np.where(table["fault"] == Fault.CHECK_DIGIT, key - last + (last + 1) % 10, key)
    ten = padded(wrong, 10)
    kind = np.select([table["kind"] == THIRTEEN, table["kind"] == TWELVE], [1, 2], 0)
    return choose(kind, [ten, ten + "-001", padded(key, 12)])


def _name(table: Table, tcvn3: float) -> pl.Series:
    """In TCVN3 only where a letter shows it: an older `NGUYÔN LAN ANH` looks the same in NFC."""
    parts = [table[part] for part in ("ho", "dem", "ten")]
    older = table["updated"] < REFORM
    betrayed = np.logical_or.reduce([lexicon().betrays_tcvn3[part] for part in parts])
    legacy = older & betrayed & (digit(table["form"], 0, 1000) < 1000 * tcvn3)
    names = [join_words(*(lexicon().spell(part, style) for part in parts)) for style in ("upper", "tcvn3")]
    return choose(legacy.astype(np.int64), names)


def _birth(table: Table) -> pl.Series:
    form = table["birth_form"]
    kind = np.select(
        [table["fault"] == Fault.IMPOSSIBLE_DATE, form == MONTH_YEAR, form == YEAR_ALONE], [3, 1, 2], 0
    )
    patterns = [dates(table["birth"], pattern) for pattern in ("%d/%m/%Y", "%m/%Y", "%Y")]
    return choose(kind, [*patterns, "31/02/" + patterns[2]])


def _address(state: State) -> pl.Series:
    table, addresses = state.records["tax"], state.addresses
    rows = np.maximum(table["addr"], 0)
    address = pl.DataFrame(
        {
            "maXa": places().code(addresses["pair"][rows], table["addr_old"]),
            "chiTiet": places().details(addresses, rows),
        }
    ).to_struct("address")
    return blank(address, table["addr"] < 0)


def _phone(table: Table) -> pl.Series:
    bare = padded(table["phone"], 9)
    return blank(
        choose((digit(table["form"], 1, 4) == 0).astype(np.int64), ["0" + bare, "84" + bare]),
        table["phone"] == 0,
    )


def _office(state: State) -> pl.Series:
    """The tax office of the person's province of birth registration: it keeps the file."""
    prefix = places().prefix[state.people["birth_pair"][state.records["tax"]["person"]]]
    return padded(prefix, 3, "CQT")


def _status(table: Table) -> pl.Series:
    code = np.select([table["deleted"], table["status"] == CLOSED, table["status"] == DECEASED], [3, 1, 4], 0)
    return padded(code, 2)
