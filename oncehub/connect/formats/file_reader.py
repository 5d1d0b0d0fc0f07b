"""Reads the records of a file of any size, some thousands at a time; responses: `page_reader`."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from oncehub.config.access import Limits
from oncehub.config.reading import Csv, Form, Json, JsonLines, Parquet, Xlsx, Xml
from oncehub.connect.formats.content import shown
from oncehub.connect.formats.csv import csv_records
from oncehub.connect.formats.json import json_line_records, parse_json
from oncehub.connect.formats.parquet import parquet_records
from oncehub.connect.formats.paths import records_at
from oncehub.connect.formats.unpacking import Bounded, Member, Tally, Unpacked, zip_members
from oncehub.connect.formats.unreadable import Unreadable
from oncehub.connect.formats.xlsx import xlsx_records
from oncehub.connect.formats.xml import xml_records
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

SLICE_RECORDS = 5_000
SLICE_BYTES = 8 * 1024 * 1024
"""Unpacked bytes after which a slice ends even with fewer records."""


def record_slices(
    read: Form, file: BinaryIO, what: str, limits: Limits, *, vouched: bool
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
    tally = Tally(limits.file_bytes, f"{what}: is larger than limits.file_bytes ({limits.file_bytes})")
    for named, source in _sources(read, file, what):
        records = _records(read, Bounded(source, tally), named, limits.page_bytes, vouched=vouched)
        yield from _sliced(records, tally)


def records_in(read: Form, body: bytes, what: str, most: int) -> list[Any]:
    """Return the records of a response, unpacked unless it is a zip; see `record_slices`. It may be cut."""
    file = io.BytesIO(body)
    zipped = read.compression == "zip"
    expands = zipped or isinstance(read, Xlsx | Parquet)
    refusal = f"{what}: unpacks to more than limits.page_bytes ({most})"
    tally = Tally(most if expands else sys.maxsize, refusal)
    return [
        record
        for named, source in (_sources(read, file, what) if zipped else [(what, file)])
        for record in _records(read, Bounded(source, tally), named, most, vouched=False)
    ]


def _sources(read: Form, file: BinaryIO, what: str) -> Iterator[tuple[str, BinaryIO | Unpacked | Member]]:
    """Yield what is to be parsed, unpacked, and how to name it."""
    match read.compression:
        case "zip":
            yield from zip_members(file, read.members, what)
        case "gzip":
            yield what, Unpacked(file, what)
        case "none":
            yield what, file


def _records(read: Form, measured: Bounded, what: str, most: int, *, vouched: bool) -> Iterator[Any]:
    file = cast(BinaryIO, io.BufferedReader(measured))
    match read:
        case Xlsx() | Parquet():
            return _table_records(file, read, what, most, measured.tally)
        case Csv():
            return csv_records(file, read, what, most, vouched=vouched)
        case JsonLines():
            return json_line_records(file, what, most)
        case Xml():
            return xml_records(file, read, what, most)
        case Json():
            return _json_records(file, read, what, most)


def _table_records(file: BinaryIO, read: Xlsx | Parquet, what: str, most: int, tally: Tally) -> Iterator[Any]:
    """Yield the rows of a file that is not read from its beginning to its end."""
    with TemporaryFile() as copy:
        copyfileobj(file, copy)
        copy.flush()
        copy.seek(0)
        if isinstance(read, Xlsx):
            yield from xlsx_records(copy, read, what, most, tally)
        else:
            yield from parquet_records(copy, read, what, most, tally)


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
    records = records_at(content, read.records) if read.records else content
    if isinstance(records, Unreadable):
        raise ContractBroken(f"{what}: on the way to {shown(read.records)}, it {records.reason}")
    if not isinstance(records, list):
        raise ContractBroken(f"{what}: holds no list at {shown(read.records)}")
    yield from records


def _sliced(records: Iterator[Any], tally: Tally) -> Iterator[list[Any]]:
    taken: list[Any] = []
    begun = tally.passed
    for record in records:
        taken.append(record)
        if len(taken) == SLICE_RECORDS or tally.passed - begun >= SLICE_BYTES:
            yield taken
            taken, begun = [], tally.passed
    if taken:
        yield taken
