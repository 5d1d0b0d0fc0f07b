"""Transforms of telephone numbers, e-mail addresses and postal addresses."""

from __future__ import annotations

import datetime as clock
from typing import Final

import polars as pl

from oncehub.config.administrative_units import FORMER_EDITION, REFORM
from oncehub.normalize.transforms.dates import HOME, day
from oncehub.normalize.transforms.transform import transform

# Mobile numbers have nine digits after the trunk 0, fixed lines begin with 2 and have ten.
_PHONE: Final = r"^(?:(?:\+?84|0084)0?|0)([35789][0-9]{8}|2[0-9]{9})$"


@transform
def phone_vn(value: pl.Expr) -> pl.Expr:
    """Read a Vietnamese telephone number, in E.164.

    Source: kế hoạch đánh số viễn thông, Thông tư 22/2014/TT-BTTTT.

    Examples:
        "0912345678" -> "+84912345678"
        "+84 912 345 678" -> "+84912345678"
        "0912.345.678" -> "+84912345678"
        "84912345678" -> "+84912345678"
        "+84-912345678" -> "+84912345678"
        "+84 (0)912 345 678" -> "+84912345678"
        "(024) 3825 5555" -> "+842438255555"
        "091234567" -> failure
    """
    compact = value.str.replace_all(r"[\s.\-()]", "")
    return pl.lit("+84") + compact.str.extract(_PHONE, 1)


@transform
def email(value: pl.Expr) -> pl.Expr:
    """Trim an e-mail address and write it in small letters.

    Examples:
        " Lan.Anh@Example.VN " -> "lan.anh@example.vn"
        "lan.anh" -> failure
    """
    return value.str.strip_chars().str.to_lowercase().str.extract(r"^([^@\s]+@[^@\s]+)$", 1)


@transform
def edition_as_of(value: pl.Expr, form: str = "iso8601", zone: str = HOME) -> pl.Expr:
    """Give the first day of the catalogue of communes that was in force at a time.

    For sources that code an address without naming the catalogue. Source: Nghị quyết 202/2025/QH15.

    Examples:
        {"edition_as_of": "%d/%m/%Y %H:%M:%S"}: "30/06/2025 23:59:59" -> "2024-12-01"
        {"edition_as_of": "%d/%m/%Y %H:%M:%S"}: "01/07/2025 00:00:00" -> "2025-07-01"
        {"edition_as_of": "dd/MM/yyyy"}: "30/06/2025" -> "2024-12-01"
    """
    reformed = day(value, form, zone) >= pl.lit(clock.date.fromisoformat(REFORM))
    return reformed.replace_strict(
        [True, False], [REFORM, FORMER_EDITION], default=None, return_dtype=pl.String
    )
