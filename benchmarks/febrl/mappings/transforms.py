"""Transforms that the records of FEBRL need beside the hub's own."""

from __future__ import annotations

import polars as pl

from oncehub.normalize.transforms.transform import optional_transform, transform


@transform
def zero_filled(value: pl.Expr, length: int) -> pl.Expr:
    """Put zeros before a number until it has so many digits.

    Examples:
        {"zero_filled": 9}: "5304218" -> "005304218"
    """
    return value.str.pad_start(length, "0")


@optional_transform
def possible_day(value: pl.Expr) -> pl.Expr:
    """Read `yyyyMMdd` as ISO 8601; a day that no calendar has means that none is known.

    Examples:
        "19151111" -> "1915-11-11"
        "19371321" -> null
    """
    return value.str.to_date("%Y%m%d", strict=False).dt.to_string("iso")
