"""Rows of a table as records: which column is which field, and values in the types of JSON."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from oncehub.config.reading import Column
from oncehub.connect.formats.unreadable import Unreadable
from oncehub.errors import ContractBroken

_EXACT = 10**15
"""Spreadsheets keep 15 digits of a number."""


class Layout:
    """Which field each column of a table holds.

    Attributes:
        width: how many columns the header has.
        names: field by column, counted from 0; columns without a name hold nothing.
    """

    def __init__(self, header: Sequence[str], columns: Mapping[str, Column], what: str) -> None:
        """Find the columns of a header; `what` names the table in errors.

        Raises:
            ContractBroken: when a declared column is not there, or two columns have one name.
        """
        self.width = len(header)
        self.names: dict[int, str] = {}
        self._digits: dict[str, int] = {}
        self._what = what
        folded = [_folded(name) for name in header]
        for name, column in columns.items():
            self.names[_place(column, folded, what)] = name
            if column.digits:
                self._digits[name] = column.digits
        if len(self.names) < len(columns):
            raise ContractBroken(f"{what}: two of `columns` are one column; give each its own")
        for place, own in enumerate(header):
            if place not in self.names and folded[place]:
                self.names[place] = own
        self._check_names()

    def _check_names(self) -> None:
        by_name: dict[str, int] = {}
        for place, name in sorted(self.names.items()):
            if name in by_name:
                raise ContractBroken(
                    f"{self._what}: needs a header line whose names differ: those of the columns "
                    f"{letters(by_name[name])} and {letters(place)} are one; name them in read.columns "
                    f"by their letters, as {{column: {letters(place)}}}, and check header_row"
                )
            by_name[name] = place
        if not self.names:
            raise ContractBroken(f"{self._what}: needs a header line whose names differ; check header_row")

    def record(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return a row of JSON values as a record.

        Raises:
            ContractBroken: when a column without a name holds a value.
        """
        record = {}
        for place, value in enumerate(row):
            name = self.names.get(place)
            if name is not None:
                record[name] = value
            elif value not in (None, ""):
                raise ContractBroken(
                    f"{self._what}: column {letters(place)} holds values but has no name in the header; "
                    f"name it in read.columns, as {{column: {letters(place)}}}"
                )
        return self.filled(record)

    def filled(self, record: dict[str, Any]) -> dict[str, Any]:
        """Give numbers of a declared count of digits their leading zeros."""
        for name, digits in self._digits.items():
            record[name] = _padded(record[name], digits)
        return record


def _place(column: Column, folded: Sequence[str], what: str) -> int:
    if column.column is not None:
        place = number_of(column.column)
        if place >= len(folded):
            raise ContractBroken(f"{what}: has no column {column.column}, only {len(folded)} columns")
        return place
    places = [place for place, name in enumerate(folded) if name == _folded(column.header or "")]
    if len(places) != 1:
        problem = "no column has" if not places else f"{len(places)} columns have"
        raise ContractBroken(
            f"{what}: {problem} the header {column.header!r} of read.columns; "
            "check header_row, or name the column by its letter, as {column: D}"
        )
    return places[0]


def _folded(header: str) -> str:
    return unicodedata.normalize("NFC", " ".join(header.split()))


def _padded(value: Any, digits: int) -> Any:
    if value in (None, "") or isinstance(value, Unreadable):
        return value
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        return Unreadable(f"is no number of {digits} digits", f'"{text}"')
    if len(text) > digits:
        return Unreadable(f"has more than {digits} digits", f'"{text}"')
    return text.zfill(digits)


def letters(place: int) -> str:
    """Name a column, counted from 0, as spreadsheets do: A, Z, AA."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def number_of(name: str) -> int:
    """Return the number, counted from 0, of a column named by letters."""
    number = 0
    for letter in name:
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number - 1


def cell(value: Any) -> Any:
    """Return the value of a spreadsheet's cell as JSON has it."""
    if value == "":
        return None
    if isinstance(value, float):
        if abs(value) >= _EXACT:
            return Unreadable("is a number of more than 15 digits, whose last ones were rounded", repr(value))
        return int(value) if value.is_integer() else value
    return plain(value)


def plain(value: Any) -> Any:  # noqa: C901, PLR0911 - one line a type
    """Return a value of Python as JSON has it: times as ISO 8601, decimals as text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else str(value)
        case float():
            return value if math.isfinite(value) else Unreadable("is no finite number", f'"{value}"')
        case datetime() if value.tzinfo:
            return value.astimezone(UTC).isoformat()
        case date() | time():
            return value.isoformat()
        case Decimal():
            return (
                format(value, "f") if value.is_finite() else Unreadable("is no finite number", f'"{value}"')
            )
        case timedelta():
            return _span(value)
        case UUID():
            return str(value)
        case dict():
            return {str(name): plain(part) for name, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case bytes() | bytearray() | memoryview():
            return Unreadable("holds bytes", "null")
        case _:
            return Unreadable(f"is of the type {type(value).__name__}, which no record holds", "null")


def _span(value: timedelta) -> str:
    """Return what MySQL holds as a time of day as such, and other spans as ISO 8601 has them: -P1DT2H3M4S."""
    whole = abs(value)
    minutes, seconds = divmod(whole.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if value == whole and not whole.days:
        return time(hours, minutes, seconds, whole.microseconds).isoformat()
    fraction = f".{whole.microseconds:06}" if whole.microseconds else ""
    sign = "" if value == whole else "-"
    return f"{sign}P{whole.days}DT{hours}H{minutes}M{seconds}{fraction}S"


def weight(row: Sequence[Any]) -> int:
    """Return about how many bytes a row's values take as text."""
    return sum(len(value) if isinstance(value, str) else _weight(value) for value in row)


def _weight(value: Any) -> int:
    match value:
        case str() | bytes():
            return len(value)
        case dict():
            return 8 + sum(map(_weight, value.values()))
        case list() | tuple():
            return 8 + sum(map(_weight, value))
        case _:
            return 8
