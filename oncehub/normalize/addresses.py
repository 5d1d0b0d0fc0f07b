"""Transforms for addresses coded by commune."""

from __future__ import annotations

import datetime as clock
from typing import Final

import polars as pl

from oncehub.normalize.dates import datetime
from oncehub.normalize.transform import transform
from oncehub.store.units import REFORM

FORMER_EDITION: Final = "2024-12-01"
"""First day of the last catalogue of communes before the reform of 2025."""

_HOME: Final = "Asia/Ho_Chi_Minh"


@transform
def edition_as_of(value: pl.Expr, form: str = "iso8601", zone: str = _HOME) -> pl.Expr:
    """Tell the catalogue of communes that was in force at a moment, by the first day of that catalogue.

    For sources that code an address without naming the catalogue. Source: Nghị quyết 202/2025/QH15.

    Examples:
        {"edition_as_of": "%d/%m/%Y %H:%M:%S"}: "30/06/2025 23:59:59" -> "2024-12-01"
        {"edition_as_of": "%d/%m/%Y %H:%M:%S"}: "01/07/2025 00:00:00" -> "2025-07-01"
    """
    day = datetime(value, form, zone).dt.convert_time_zone(_HOME).dt.date()
    reformed = day >= pl.lit(clock.date.fromisoformat(REFORM))
    return reformed.replace_strict(
        [True, False], [REFORM, FORMER_EDITION], default=None, return_dtype=pl.String
    )
