"""JSON and JSON Lines, without a number silently changed; not the library of the name `json`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO

import orjson

from oncehub.connect.formats.unpacking import lines_of
from oncehub.connect.formats.unreadable import MOST_LEVELS, Unreadable, as_written
from oncehub.connect.http.failures import TryAgain
from oncehub.exhaustion import leaves_addresses

_BOM = b"\xef\xbb\xbf"
_LONG = 16
# Digits and points become 0, all else a space: a run of zeros is then a long number, or a string of digits.
_DIGITS = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))
_LONG_NUMBER = re.compile(rb"(?:^|[\s:,\[])-?[0-9][0-9.]{%d}" % (_LONG - 1))
_INT64, _UINT64 = -(2**63), 2**64 - 1
_LONGEST_NUMBER = 400
_FEW, _RESERVED_A_VALUE = 100_000, 256
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def parse_json(text: bytes) -> Any:
    """Parse a page or a record; what is wrong with one value stays with the record that holds it.

    A number that 64 bits do not hold to the last digit is returned as its text, for the stream's contract to
    judge: orjson alone would round a long identifier to the nearest float. An object that gives a name twice
    and a number beyond all bounds are `Unreadable`; bytes and escapes that are no Unicode text become lone
    surrogates; levels below `MOST_LEVELS` are cut off.

    Raises:
        TryAgain: when it is no JSON, as half a page or a maintenance page is not.
    """
    text = text.removeprefix(_BOM)
    try:
        content = orjson.loads(text)
        if not _may_round(text) and not _repeats_names(text, content):
            return content
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _exactly(text, _shallow)
    return _exactly(text)


def parse_strictly(text: bytes) -> Any:
    """Parse what holds no records: in it, any fault is one of the whole.

    Raises:
        TryAgain: when it is no JSON.
    """
    try:
        content = orjson.loads(text.removeprefix(_BOM))
    except orjson.JSONDecodeError:
        raise TryAgain("the response is not JSON") from None
    return _exactly(text.removeprefix(_BOM)) if _may_round(text) else content


def _may_round(text: bytes) -> bool:
    # The first search is a tenth of the second, and nearly always enough.
    return b"0" * _LONG in text.translate(_DIGITS) and _LONG_NUMBER.search(text) is not None


def _repeats_names(text: bytes, content: Any) -> bool:
    """Tell whether an object may give a name twice: orjson keeps the last, and with it fewer colons.

    Raises:
        JSONEncodeError: when the content nests too deep to be written.
    """
    if b"\\u003" in text:
        return True
    # orjson reserves room for a list before it writes it, and ends the process where it gets none.
    values = text.count(b",")
    has_room = values < _FEW or leaves_addresses(_RESERVED_A_VALUE * values)
    return text.count(b":") != (orjson.dumps(content).count(b":") if has_room else _colons(content))


def _colons(content: Any) -> int:
    """Count the colons of the content as orjson would write it; slower, in no more room than it has.

    Raises:
        JSONEncodeError: when the content nests too deep.
    """
    colons = 0
    left = [iter((content,))]
    while left:
        if len(left) > MOST_LEVELS:
            raise orjson.JSONEncodeError("nests too deep")
        for value in left[-1]:
            kind = type(value)
            if kind is str:
                colons += value.count(":")
            elif kind is dict:
                colons += len(value) + sum(name.count(":") for name in value)
                left.append(iter(value.values()))
                break
            elif kind is list:
                left.append(iter(value))
                break
        else:
            left.pop()
    return colons


def _exactly(text: bytes, prepare: Any = None) -> Any:
    decoded = text.decode("utf-8", "surrogateescape")
    try:
        return _decode(prepare(decoded) if prepare else decoded)
    except (ValueError, RecursionError):
        raise TryAgain("the response is not JSON") from None


def _shallow(text: str) -> str:
    """Replace what nests deeper than `MOST_LEVELS` by null."""
    kept: list[str] = []
    depth, begin = 0, 0
    for found in _BRACKETS.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == MOST_LEVELS + 1:
                kept.append(text[begin : found.start()])
        elif found[0] in "]}":
            depth -= 1
            if depth == MOST_LEVELS:
                kept.append("null")
                begin = found.end()
    # Brackets that are never closed remain, so that a cut page is none.
    return "".join(kept) + text[begin:] if depth <= MOST_LEVELS else text[: MOST_LEVELS + 1]


def _exact_int(text: str) -> int | str | Unreadable:
    if len(text) > _LONGEST_NUMBER or (len(text) > 300 and math.isinf(float(text))):
        return Unreadable("is a number beyond the range of numbers", text)
    if len(text) > 20:
        return text
    number = int(text)
    return number if _INT64 <= number <= _UINT64 else text


def _exact_float(text: str) -> float | str | Unreadable:
    if len(text) > _LONGEST_NUMBER or math.isinf(number := float(text)):
        return Unreadable("is a number beyond the range of numbers", text)
    if number == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        return text
    return number if Decimal(text) == Decimal(repr(number)) else text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Unreadable:
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    members = (as_written(name) + b":" + as_written(value) for name, value in pairs)
    text = b"{" + b",".join(members) + b"}"
    return Unreadable("gives a name twice", text.decode("utf-8", "surrogateescape"))


_decode = partial(
    json.loads,
    parse_int=_exact_int,
    parse_float=_exact_float,
    parse_constant=partial(Unreadable, "is not a number"),
    object_pairs_hook=_object,
    # A control character that stands unescaped is text like any other.
    strict=False,
)


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
