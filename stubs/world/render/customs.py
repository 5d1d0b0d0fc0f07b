"""Customs declarants: the rows of the nightly files."""

from __future__ import annotations

import numpy as np
import polars as pl

from stubs.world.clock import dates, local_times
from stubs.world.people import names
from stubs.world.people.lexicon import join_words, lexicon
from stubs.world.people.places import places
from stubs.world.planting.rates import Fault
from stubs.world.records import BUSINESS, DECEASED
from stubs.world.render.names import blank, choose, padded
from stubs.world.state import State
from stubs.world.table import Array, Table


def declarants(state: State) -> pl.DataFrame:
    """Every declarant, those no longer in the files included, as the wire frame of `customs.declarants`."""
    table = state.records["customs"]
    frame = pl.DataFrame(
        {
            "MA_NGUOI_KHAI": padded(table["key"], 7, "HQ"),
            "LOAI": pl.Series(["1", "2"]).gather(pl.Series(table["kind"].astype(np.int64))),
            "TEN": blank(_name(table), table["fault"] == Fault.MISSING_NAME).fill_null(""),
            "SO_DINH_DANH": _optional(table["pid"], 12, table["pid"] == 0),
            "SO_CMND": _optional(table["cmnd"], 9, table["cmnd"] < 0),
            "MST": _optional(table["mst"], 10, table["mst"] < 0),
            "DIA_CHI": _address(state),
            "DIEN_THOAI": _optional(table["phone"], 9, table["phone"] == 0, prefix="0"),
            "NGAY_DANG_KY": _registered(table),
            "TRANG_THAI": pl.Series(["A", "D"]).gather(
                pl.Series((table["status"] == DECEASED).astype(np.int64))
            ),
            "NGAY_CAP_NHAT": local_times(table["updated"], "%Y%m%d%H%M%S"),
        }
    )
    # A text file has no types, so a wrong type is a date field with words in it.
    return frame.with_columns(_raw=pl.Series([None], dtype=pl.String).new_from_index(0, len(frame)))


def _name(table: Table) -> pl.Series:
    company = table["kind"] == BUSINESS
    person = [np.where(company, -1, table[part]) for part in ("ho", "dem", "ten")]
    kinds, trades = (np.where(company, table[part], 0).astype(np.int64) for part in ("ho", "dem"))
    firm = join_words(
        pl.Series(names.COMPANY_KINDS).gather(pl.Series(kinds)),
        pl.Series(names.COMPANY_TRADES).gather(pl.Series(trades)),
        lexicon().spell(table["ten"], "upper"),
    )
    number = pl.Series(table["key"] % 89 + 10).cast(pl.String)
    return choose(
        company.astype(np.int64),
        [lexicon().full_name((person[0], person[1], person[2])), firm + " " + number],
    )


def _optional(numbers: Array, digits: int, missing: Array, prefix: str = "") -> pl.Series:
    return padded(numbers, digits, prefix, missing=missing).fill_null("")


def _address(state: State) -> pl.Series:
    table, addresses = state.records["customs"], state.addresses
    rows = np.maximum(table["addr"], 0)
    where = places().pick_place("plain", addresses["pair"][rows], table["addr_old"])
    return places().details(addresses, rows) + ", " + where


def _registered(table: Table) -> pl.Series:
    usual = dates(table["opened"], "%Y%m%d")
    impossible = usual.str.slice(0, 4) + "0231"
    word = pl.Series(["không rõ"]).new_from_index(0, len(table))
    kind = np.select([table["fault"] == Fault.IMPOSSIBLE_DATE, table["fault"] == Fault.WRONG_TYPE], [1, 2], 0)
    return choose(kind, [usual, impossible, word])
