"""JSON and JSON Lines, without a number silently changed; not the library of the name `json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from oncehub.connect.formats.unpacking import lines_of
from oncehub.connect.http.failures import TryAgain

_BOM = b"\xef\xbb\xbf"
_LONG = 16
# Digits and points become 0, all else a space: a run of zeros is then a long number, or a string of digits.
_DIGITS = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))
_LONG_NUMBER = re.compile(rb"(?:^|[\s:,\[])-?[0-9][0-9.]{%d}" % (_LONG - 1))
_INT64, _UINT64 = -(2**63), 2**64 - 1


def parse_json(text: bytes) -> Any:
    """Parse JSON; of a name given twice in an object the last counts.

    A number that 64 bits do not hold to the last digit is returned as its text, for the stream's contract to
    judge: orjson alone would round a long identifier to the nearest float.

    Raises:
        TryAgain: when it is no JSON, as half a page or a maintenance page is not.
    """
    text = text.removeprefix(_BOM)
    try:
        content = orjson.loads(text)
        return _exactly(text) if _may_round(text) else content
    except (orjson.JSONDecodeError, RecursionError):
        raise TryAgain("the response is not JSON") from None


def _may_round(text: bytes) -> bool:
    # The first search is a tenth of the second, and nearly always enough.
    return b"0" * _LONG in text.translate(_DIGITS) and _LONG_NUMBER.search(text) is not None


def _exactly(text: bytes) -> Any:
    return json.loads(text, parse_int=_exact_int, parse_float=_exact_float)


def _exact_int(text: str) -> int | str:
    if len(text) > 20:
        return text
    number = int(text)
    return number if _INT64 <= number <= _UINT64 else text


def _exact_float(text: str) -> float | str:
    number = float(text)
    return number if Decimal(text) == Decimal(repr(number)) else text


def json_line_records(file: BinaryIO, what: str, most: int) -> Iterator[Any]:
    """Yield the records of a file whose lines are at most `most` bytes; blank lines are none.

    Raises:
        TryAgain: when a line is no JSON, as one that is cut is not.
        ContractBroken: when a line is longer.
    """
    for number, line in enumerate(lines_of(file.readline, most, what), start=1):
        if line.isspace():
            continue
        try:
            yield parse_json(line)
        except TryAgain:
            raise TryAgain(f"line {number} is not JSON") from None
