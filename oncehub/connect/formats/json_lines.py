"""One JSON record a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from oncehub.connect.formats.json import parse_json
from oncehub.connect.formats.unpacking import lines_of
from oncehub.connect.http.failures import TryAgain


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
