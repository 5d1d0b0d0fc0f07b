"""Reads rows of CSV as records, every value a string; the library `csv` splits them."""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterator
from typing import Any, BinaryIO

from oncehub.config.reading import Csv
from oncehub.connect.formats.unpacking import lines_of
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

_CUT = {"unexpected end of data", "truncated data"}
"""How Python's decoders say that text ends within a letter."""


def csv_records(file: BinaryIO, read: Csv, what: str, most: int, *, vouched: bool) -> Iterator[Any]:
    """Yield one dict a row, by the header line; an empty value is "", a blank line no row.

    A row with more or fewer values than the header is yielded as the list of its values: which belongs to
    which field cannot be known, so the stream's contract must refuse it.

    Args:
        file: of any size.
        read: its dialect and encoding.
        what: names it in errors.
        most: characters of the longest line.
        vouched: whether the file is known to be whole, as gzip is once it has been unpacked; else a last line
            without an end counts as cut, for it may lack the end of its last value.

    Raises:
        TryAgain: when a line is no CSV of this dialect, or the file ends within a letter or a line.
        ContractBroken: when it is not in this encoding, a value is too long, or the header is absent or
            repeats a name.
    """
    vouched = vouched or read.compression == "gzip" or read.last_line == "open"
    lines = _lines(file, read, what, most, vouched=vouched)
    reader = csv.reader(
        lines,
        delimiter=read.delimiter,
        quotechar=read.quote,
        quoting=csv.QUOTE_MINIMAL if read.quote else csv.QUOTE_NONE,
        escapechar=read.escape,
        strict=True,
    )
    try:
        yield from _by_header(reader, what)
    except csv.Error as error:
        if "field limit" in str(error):
            raise ContractBroken(f"{what}: line {reader.line_num} holds a value that is too long") from None
        raise TryAgain(f"line {reader.line_num} is not CSV as agreed") from None


def _by_header(reader: Iterator[list[str]], what: str) -> Iterator[Any]:
    rows = (row for row in reader if row)
    header = next(rows, [])
    if not header or len(set(header)) < len(header):
        raise ContractBroken(f"{what}: needs a header line whose names differ")
    width = len(header)
    for row in rows:
        yield dict(zip(header, row, strict=True)) if len(row) == width else row


def _lines(file: BinaryIO, read: Csv, what: str, most: int, *, vouched: bool) -> Iterator[str]:
    """Yield decoded lines with their ends, without a byte order mark.

    Windows-1258, whose tones are separate marks, is composed to NFC.
    """
    composes = codecs.lookup(read.encoding).name == "cp1258"
    text = io.TextIOWrapper(file, read.encoding, newline="")
    mark = "\ufeff"
    try:
        for line in lines_of(text.readline, most, what):
            if not vouched and not line.endswith(("\n", "\r")):
                raise TryAgain("its last line has no end, so it may be cut (else write read.last_line: open)")
            content = line.removeprefix(mark)
            mark = ""
            yield unicodedata.normalize("NFC", content) if composes else content
    except UnicodeError as error:
        if getattr(error, "reason", "") in _CUT:
            raise TryAgain("ends within a letter") from None
        raise ContractBroken(
            f"{what}: is not {read.encoding} text; check `encoding`, and `compression` where it is packed"
        ) from None
