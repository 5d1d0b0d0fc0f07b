"""World time: microseconds since 1970 (UTC), days since 1970 (Vietnam's calendar), and both as text."""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

import numpy as np
import polars as pl

from stubs.world.table import Array

SECOND = 1_000_000
DAY = 86_400 * SECOND
VIETNAM = 7 * 3600 * SECOND
START = 1_783_357_200 * SECOND  # 2026-07-06T17:00:00Z, midnight in Vietnam
_FIRST_DAY = -25_567  # 1900-01-01
_LAST_DAY = 47_847  # 2101-01-01


def generator(seed: int, day: int, purpose: str) -> np.random.Generator:
    """The random stream of one purpose on one day: no draw depends on how much others have drawn."""
    return np.random.default_rng([seed, day, crc32(purpose.encode())])


def local_day(moments: Array) -> Array:
    """Vietnam calendar day (days since 1970) of UTC microseconds."""
    return (moments + VIETNAM) // DAY


def start_of_day(days: Array) -> Array:
    """UTC microseconds of the Vietnam midnight that opens each day."""
    return days.astype(np.int64) * DAY - VIETNAM


def calendar(days: Array) -> tuple[Array, Array, Array]:
    """Year, month (1-12) and day of month of days since 1970."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    month_number = months.astype(np.int64)
    return month_number // 12 + 1970, month_number % 12 + 1, (dates - months).astype(np.int64) + 1


def from_calendar(year: Array, month: Array, day: Array) -> Array:
    """Days since 1970 of a calendar date; a day beyond the month's end runs into the next month."""
    months = (year.astype(np.int64) - 1970) * 12 + month - 1
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1


@lru_cache(maxsize=8)
def _rendered_days(pattern: str) -> pl.Series:
    days = pl.Series(range(_FIRST_DAY, _LAST_DAY), dtype=pl.Int32).cast(pl.Date)
    return pl.concat([days.dt.strftime(pattern), pl.Series([None], dtype=pl.String)])


def dates(days: Array, pattern: str = "%Y-%m-%d", *, missing: Array | None = None) -> pl.Series:
    """Days since 1970 as text; null where `missing`."""
    # A gather from a table of all days is many times faster than formatting a million of them.
    rendered = _rendered_days(pattern)
    index = days.astype(np.int64) - _FIRST_DAY
    if missing is not None:
        index = np.where(missing, len(rendered) - 1, index)
    return rendered.gather(pl.Series(index))


def instants(moments: Array) -> pl.Series:
    """UTC microseconds as a Datetime('us', 'UTC') series."""
    return pl.Series(moments, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def local_times(moments: Array, pattern: str) -> pl.Series:
    """UTC microseconds as text in Vietnam time."""
    return pl.Series(moments + VIETNAM, dtype=pl.Int64).cast(pl.Datetime("us")).dt.strftime(pattern)


def iso_local(moments: Array) -> pl.Series:
    """UTC microseconds as `2026-05-01T08:12:33.123456+07:00`."""
    return local_times(moments, "%Y-%m-%dT%H:%M:%S%.6f+07:00")
