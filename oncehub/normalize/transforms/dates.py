"""Transforms of dates and times as sources write them."""

from __future__ import annotations

import datetime as clock
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from oncehub.normalize.transforms.transform import transform

_YEAR: Final = "(?:1[89]|2[01])[0-9]{2}"
_EARLIEST: Final = clock.datetime(1800, 1, 1, tzinfo=clock.UTC)
_LATEST: Final = clock.datetime(2200, 1, 1, tzinfo=clock.UTC)

HOME: Final = "Asia/Ho_Chi_Minh"
"""Time zone of Vietnam, in which a day begins and ends."""

_UNIX_TICKS: Final = {"unix": 1_000_000, "unix_ms": 1_000}
"""Form that counts from 1970-01-01 UTC -> microseconds of one unit."""

_MISTAKABLE_DAY: Final = clock.date(2005, 4, 3)


@dataclass(frozen=True)
class _Form:
    """A form of a date: its pattern, how it is parsed after `prefix`, and its precision."""

    pattern: str
    layout: str
    precision: str = "%Y-%m-%d"
    prefix: str = ""

    @property
    def whole(self) -> bool:
        return self.precision == "%Y-%m-%d"

    def read(self, value: pl.Expr) -> pl.Expr:
        looks_so = value.str.contains(f"^{self.pattern}$")
        return pl.when(looks_so).then(pl.lit(self.prefix) + value).str.to_date(self.layout, strict=False)


FORMS: Final = {
    "dd/MM/yyyy": _Form(f"[0-9]{{2}}/[0-9]{{2}}/{_YEAR}", "%d/%m/%Y"),
    "d/M/yyyy": _Form(f"[0-9]{{1,2}}/[0-9]{{1,2}}/{_YEAR}", "%d/%m/%Y"),
    "d-M-yyyy": _Form(f"[0-9]{{1,2}}-[0-9]{{1,2}}-{_YEAR}", "%d-%m-%Y"),
    "d.M.yyyy": _Form(f"[0-9]{{1,2}}\\.[0-9]{{1,2}}\\.{_YEAR}", "%d.%m.%Y"),
    "M/d/yyyy": _Form(f"[0-9]{{1,2}}/[0-9]{{1,2}}/{_YEAR}", "%m/%d/%Y"),
    "yyyy-MM-dd": _Form(f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}", "%Y-%m-%d"),
    "yyyyMMdd": _Form(f"{_YEAR}[0-9]{{4}}", "%Y%m%d"),
    "yyyy/MM/dd": _Form(f"{_YEAR}/[0-9]{{2}}/[0-9]{{2}}", "%Y/%m/%d"),
    "MM/yyyy": _Form(f"[0-9]{{2}}/{_YEAR}", "%d/%m/%Y", "%Y-%m", "01/"),
    "M/yyyy": _Form(f"[0-9]{{1,2}}/{_YEAR}", "%d/%m/%Y", "%Y-%m", "01/"),
    "MM-yyyy": _Form(f"[0-9]{{2}}-{_YEAR}", "%d/%m-%Y", "%Y-%m", "01/"),
    "yyyy-MM": _Form(f"{_YEAR}-[0-9]{{2}}", "%d/%Y-%m", "%Y-%m", "01/"),
    "yyyy": _Form(_YEAR, "%d/%m/%Y", "%Y", "01/01/"),
}
"""Date forms that a mapping may name; only `M/d/yyyy` has the month first. Years from 1800 to 2199."""


@transform
def partial_date(value: pl.Expr, *forms: str) -> pl.Expr:
    """Read a date that may lack the day, or month and day, as ISO 8601 of that precision.

    Sources write full dates, `MM/yyyy` or `yyyy` (lý lịch tư pháp, QCVN 109:2017). An impossible date
    fails.

    Examples:
        {"partial_date": ["dd/MM/yyyy", "MM/yyyy", "yyyy"]}: "07/05/1984" -> "1984-05-07"
        {"partial_date": ["dd/MM/yyyy", "MM/yyyy", "yyyy"]}: "05/1984" -> "1984-05"
        {"partial_date": ["dd/MM/yyyy", "MM/yyyy", "yyyy"]}: "1984" -> "1984"
        {"partial_date": ["dd/MM/yyyy", "d-M-yyyy"]}: "31/02/1990" -> failure
        {"partial_date": ["d-M-yyyy"]}: "7-5-1984" -> "1984-05-07"
    """
    return pl.coalesce(form.read(value).dt.to_string(form.precision) for form in _named(forms))


@transform
def date(value: pl.Expr, *forms: str) -> pl.Expr:
    """Read a whole date.

    Examples:
        {"date": "yyyyMMdd"}: "20150201" -> "2015-02-01"
        {"date": "M/d/yyyy"}: "2/28/2015" -> "2015-02-28"
        {"date": "dd/MM/yyyy"}: "29/02/2023" -> failure
    """
    known = _named(forms)
    if partial := [name for name, form in zip(forms, known, strict=True) if not form.whole]:
        raise ValueError(f"{partial[0]} is no whole date; use partial_date")
    return pl.coalesce(form.read(value) for form in known)


@transform
def datetime(value: pl.Expr, form: str = "iso8601", zone: str = "UTC") -> pl.Expr:
    """Read a time as UTC, in microseconds; `zone` is the zone of values that state none.

    `form` is `iso8601`, a strptime form, or `unix` or `unix_ms`: seconds or milliseconds since 1970 in UTC,
    as numbers or as digits. Years from 1800 to 2199.

    Examples:
        "2026-05-01T08:12:33.5+07:00" -> "2026-05-01T01:12:33.500000Z"
        "2026-05-01T01:12:33Z" -> "2026-05-01T01:12:33.000000Z"
        {"datetime": ["%Y%m%d%H%M%S", "Asia/Ho_Chi_Minh"]}: "20260501081233" -> "2026-05-01T01:12:33.000000Z"
        {"datetime": "unix"}: "1777597953" -> "2026-05-01T01:12:33.000000Z"
        {"datetime": "unix_ms"}: "1777597953500" -> "2026-05-01T01:12:33.500000Z"
        "2026-02-30T01:12:33Z" -> failure
        "9999-12-31T00:00:00Z" -> failure
    """
    _check_zone(zone)
    return _moment(value, form, zone).map_batches(_in_range, return_dtype=pl.Datetime("us", "UTC"))


def day(value: pl.Expr, form: str, zone: str = HOME) -> pl.Expr:
    """Return the day in Vietnam of a value in a form of `date` or `datetime`; null where it cannot be read.

    Raises:
        ValueError: when the form or the zone is unknown.
    """
    if form in FORMS:
        return date(value, form)
    return datetime(value, form, zone).dt.convert_time_zone(HOME).dt.date()


def _named(forms: tuple[str, ...]) -> list[_Form]:
    """Return the forms by name.

    Raises:
        ValueError: when none is given, one is unknown, or two read the same text as different days.
    """
    if not forms:
        raise ValueError(f"needs a form of a date; choose of {', '.join(FORMS)}")
    known = [_form(name) for name in forms]
    if len(known) > 1:
        _check_agreement(known)
    return known


def _check_agreement(forms: list[_Form]) -> None:
    written = [_MISTAKABLE_DAY.strftime(form.layout) for form in forms if form.whole]
    read = pl.DataFrame({"written": written}, schema={"written": pl.String}).select(
        form.read(pl.col("written")).alias(str(place)) for place, form in enumerate(forms)
    )
    for text, days in zip(written, read.rows(), strict=True):
        if len({*days} - {None}) > 1:
            raise ValueError(f"the forms read {text!r} as different days; keep one order of day and month")


def _form(name: str) -> _Form:
    if name in FORMS:
        return FORMS[name]
    if "yyyy" not in name and "yy" in name:
        raise ValueError(f"{name!r} does not tell the century; ask the source for years of four digits")
    raise ValueError(f"{name!r} is no form of a date; choose of {', '.join(FORMS)}")


def _moment(value: pl.Expr, form: str, zone: str) -> pl.Expr:
    if form in _UNIX_TICKS:
        return _counted(value, _UNIX_TICKS[form])
    if form == "iso8601":
        stated = _with_offset(value, "%Y-%m-%dT%H:%M:%S%.f%#z")
        return pl.coalesce(stated, _without_offset(value, "%Y-%m-%dT%H:%M:%S%.f", zone))
    layout = form.replace(".%f", "%.f")
    _check_layout(form, layout)
    return _with_offset(value, layout) if "z" in layout else _without_offset(value, layout, zone)


def _in_range(moments: pl.Series) -> pl.Series:
    """Replace times outside the years of `FORMS` by null; some are out of range for PostgreSQL and Python."""
    plausible = moments.is_between(_EARLIEST, _LATEST, closed="left")
    return (
        moments if plausible.all() else moments.to_frame("m").select(pl.when(plausible).then("m")).to_series()
    )


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{zone!r} is no time zone; write one such as Asia/Ho_Chi_Minh") from None


def _counted(value: pl.Expr, tick: int) -> pl.Expr:
    """Return the time that is `value` units, of `tick` microseconds each, after 1970-01-01 UTC."""
    number = value.cast(pl.String).str.extract(r"^(-?[0-9]{1,15}(?:\.[0-9]+)?)$", 1).cast(pl.Float64)
    microseconds = (number * tick).round()
    earliest, latest = (moment.timestamp() * 1_000_000 for moment in (_EARLIEST, _LATEST))
    plausible = microseconds.is_between(earliest, latest, closed="left")
    return pl.when(plausible).then(microseconds).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))


def _check_layout(form: str, layout: str) -> None:
    """Refuse a form that cannot read back the day it wrote, or that lacks the century."""
    if "%y" in form or "%D" in form:
        raise ValueError(f"{form!r} does not tell the century; ask the source for years of four digits")
    moment = clock.datetime(2001, 2, 3, 4, 5, 6, tzinfo=clock.UTC)
    read = pl.Series([moment.strftime(form)]).str.to_datetime(layout, strict=False)
    if read.dt.date().to_list() != [moment.date()]:
        raise ValueError(f"{form!r} is no form of a moment; write one such as %d/%m/%Y %H:%M:%S, or iso8601")


def _with_offset(value: pl.Expr, layout: str) -> pl.Expr:
    return value.str.to_datetime(layout, time_unit="us", time_zone="UTC", strict=False)


def _without_offset(value: pl.Expr, layout: str, zone: str) -> pl.Expr:
    local = value.str.to_datetime(layout, time_unit="us", strict=False)
    zoned = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")
