"""Reads the records of a file of any size, some thousands at a time; responses: `page_reader`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from oncehub.config.access import Limits
from oncehub.config.reading import Csv, Json, JsonLines, Read, Xml
from oncehub.connect.formats.content import shown
from oncehub.connect.formats.csv import csv_records
from oncehub.connect.formats.json import json_line_records, parse_json
from oncehub.connect.formats.paths import at
from oncehub.connect.formats.unpacking import Bounded, Unpacked
from oncehub.connect.formats.unreadable import Unreadable
from oncehub.connect.formats.xml import xml_records
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

SLICE_RECORDS = 5_000
SLICE_BYTES = 8 * 1024 * 1024
"""Unpacked bytes after which a slice ends even with fewer records."""


def record_slices(
    read: Read, file: BinaryIO, what: str, limits: Limits, *, vouched: bool
) -> Iterator[list[Any]]:
    """Yield the records of a file in slices; memory does not grow with the file.

    Args:
        read: its form.
        file: at its beginning.
        what: names it in errors.
        limits: `file_bytes` bounds the unpacked file, `page_bytes` one line or record, or a whole JSON file.
        vouched: whether the file is known to be whole, by its checksum for example.

    Yields:
        Lists of 1 to 5,000 records.

    Raises:
        TryAgain: when the file is cut, or broken in its own syntax.
        ContractBroken: when it is otherwise not as the connector says.
    """
    refusal = f"{what}: is larger than limits.file_bytes ({limits.file_bytes})"
    source = Unpacked(file, what) if read.compression == "gzip" else file
    measured = Bounded(source, limits.file_bytes, refusal)
    yield from _sliced(_records(read, measured, what, limits.page_bytes, vouched=vouched), measured)


def records_in(read: JsonLines | Csv, body: bytes, what: str, most: int) -> list[Any]:
    """Return the records of an unpacked response; see `record_slices`. It may have been cut."""
    file = io.BytesIO(body)
    if isinstance(read, Csv):
        return list(csv_records(file, read, what, most, vouched=False))
    return list(json_line_records(file, what, most))


def _records(read: Read, measured: Bounded, what: str, most: int, *, vouched: bool) -> Iterator[Any]:
    file = cast(BinaryIO, io.BufferedReader(measured))
    match read:
        case Csv():
            return csv_records(file, read, what, most, vouched=vouched)
        case JsonLines():
            return json_line_records(file, what, most)
        case Xml():
            return xml_records(file, read, what, most)
        case Json():
            return _json_records(file, read, what, most)


def _json_records(file: BinaryIO, read: Json, what: str, most: int) -> Iterator[Any]:
    text = file.read(most + 1)
    if len(text) > most:
        raise ContractBroken(
            f"{what}: is larger than limits.page_bytes ({most}); raise it, or let the source write jsonl"
        )
    try:
        content = parse_json(text)
    except TryAgain:
        raise TryAgain("is not JSON") from None
    records = at(content, read.records) if read.records else content
    if isinstance(records, Unreadable):
        raise ContractBroken(f"{what}: on the way to {shown(read.records)}, it {records.reason}")
    if not isinstance(records, list):
        raise ContractBroken(f"{what}: holds no list at {shown(read.records)}")
    yield from records


def _sliced(records: Iterator[Any], measured: Bounded) -> Iterator[list[Any]]:
    taken: list[Any] = []
    begun = measured.passed
    for record in records:
        taken.append(record)
        if len(taken) == SLICE_RECORDS or measured.passed - begun >= SLICE_BYTES:
            yield taken
            taken, begun = [], measured.passed
    if taken:
        yield taken
