"""Bank accounts with ISO 20022 parties: names in capitals without accents, a consent reference on each."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from stubs.world.clock import dates
from stubs.world.people.lexicon import lexicon
from stubs.world.people.places import places
from stubs.world.people.spelling import plain_capitals
from stubs.world.planting.rates import Fault
from stubs.world.records import CLOSED, DECEASED, NO_BIRTH
from stubs.world.render.names import blank, choose, digit, lists_of, mail, padded
from stubs.world.render.portal import spoil
from stubs.world.state import State
from stubs.world.table import Table


def accounts(state: State) -> pl.DataFrame:
    """Every account, removed ones included, as the wire frame of `banking.accounts`."""
    table = state.records["banking"]
    frame = pl.DataFrame(
        {
            "RsrcId": padded(table["key"], 12, "9704"),
            "AcctId": _account_number(table),
            "Sts": _status(table),
            "OpngDt": dates(table["opened"]),
            "Ccy": pl.Series(["VND"]).new_from_index(0, len(table)),
            "ConsentRef": padded(table["form"].astype(np.int64), 10, "CR-"),
            "LastChngDtTm": _changed(table),
            "Ownr": _owner(state),
        }
    )
    return frame.with_columns(_raw=spoil(frame, table, _spoilt))


def _account_number(table: Table) -> pl.Series:
    """Thirteen digits that follow from the key and are no two accounts' (a bijection of its ten digits)."""
    return padded((table["key"].astype(np.int64) * 7_368_787 + 3_141_593) % 10**10, 13, "970")


def _spoilt(row: dict[str, Any]) -> dict[str, Any]:
    owner = row["Ownr"]
    return row | {"Ownr": owner | {"Nm": [owner["Nm"]]}}


def _status(table: Table) -> pl.Series:
    code = np.select([table["deleted"], table["status"] == CLOSED, table["status"] == DECEASED], [3, 1, 2], 0)
    return pl.Series(["ACTV", "CLSD", "DECD", "RMVD"]).gather(pl.Series(code))


def _changed(table: Table) -> pl.Series:
    moments = pl.Series(table["updated"], dtype=pl.Int64).cast(pl.Datetime("us"))
    return moments.dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _owner(state: State) -> pl.Series:
    table = state.records["banking"]
    name = lexicon().full_name((table["ho"], table["dem"], table["ten"]), "bank")
    return pl.DataFrame(
        {
            "Nm": blank(name, table["fault"] == Fault.MISSING_NAME),
            "PstlAdr": _address(state),
            "Id": _identity(table),
            "CtctDtls": pl.DataFrame(
                {
                    "PhneNb": padded(table["phone"], 9, "+84-", missing=table["phone"] == 0),
                    "EmailAdr": mail(table),
                }
            ).to_struct("contact"),
        }
    ).to_struct("owner")


def _address(state: State) -> pl.Series:
    table, addresses = state.records["banking"], state.addresses
    rows = np.maximum(table["addr"], 0)
    pair, old = addresses["pair"][rows], table["addr_old"]
    detail = places().details(addresses, rows)
    unique = detail.unique()
    lines = (
        pl.DataFrame(
            {
                "street": detail.replace_strict(unique, pl.Series([plain_capitals(text) for text in unique])),
                "ward": places().pick_place("bank_ward", pair, old),
            }
        )
        .select(pl.concat_list("street", "ward"))
        .to_series()
    )
    return pl.DataFrame(
        {
            "AdrLine": lines,
            "TwnNm": places().pick_place("bank_province", pair, old),
            "Ctry": pl.Series(["VN"]).new_from_index(0, len(table)),
        }
    ).to_struct("address")


def _identity(table: Table) -> pl.Series:
    stated = dates(table["birth"], missing=table["birth_form"] == NO_BIRTH)
    impossible = dates(table["birth"], "%Y") + "-02-31"
    broken = (table["fault"] == Fault.IMPOSSIBLE_DATE).astype(np.int64)
    birth = pl.DataFrame({"BirthDt": choose(broken, [stated, impossible])}).to_struct("birth")
    return pl.DataFrame(
        {"PrvtId": pl.DataFrame({"DtAndPlcOfBirth": birth, "Othr": _others(table)}).to_struct("private")}
    ).to_struct("identity")


def _others(table: Table) -> pl.Series:
    """Numbers with their schemes: NIDN personal number, TXID tax code, CMND 9-digit card, CCPT passport."""
    passport = (digit(table["form"], 1, 20) == 0) & (table["plant"] == 0)
    schemes = (
        ("NIDN", padded(table["pid"], 12), table["pid"] > 0),
        ("TXID", padded(table["mst"], 10), table["mst"] > 0),
        ("CMND", padded(table["cmnd"], 9), table["cmnd"] >= 0),
        ("CCPT", padded(table["person"] * 7 % 10_000_000, 7, "C"), passport),
    )
    stated = [np.flatnonzero(states) for _, _, states in schemes]
    numbers = pl.DataFrame(
        {
            "Id": pl.concat(
                number.gather(pl.Series(rows)) for (_, number, _), rows in zip(schemes, stated, strict=True)
            ),
            "Cd": np.repeat([code for code, _, _ in schemes], [len(rows) for rows in stated]),
        }
    ).select("Id", SchmeNm=pl.struct("Cd"))
    return lists_of(np.concatenate(stated), numbers, len(table))
