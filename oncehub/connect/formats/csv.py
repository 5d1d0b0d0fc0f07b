"""Reads rows of CSV as records, every value a string; the library `csv` splits them."""

from __future__ import annotations

import codecs
import csv
import io
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, BinaryIO

from oncehub.config.reading import Csv
from oncehub.connect.formats import tcvn3
from oncehub.connect.formats.table import Layout
from oncehub.connect.formats.unpacking import lines_of
from oncehub.connect.formats.unreadable import is_text
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

# Rows are bounded by the connector's limit instead.
csv.field_size_limit(sys.maxsize)

_FEW = 10
"""Rows of another encoding that are faults of these rows, however few rows there are."""

_CUT = {"unexpected end of data", "truncated data"}
"""How Python's decoders say that text ends within a letter."""


def csv_records(file: BinaryIO, read: Csv, what: str, most: int, *, vouched: bool) -> Iterator[Any]:
    """Yield one dict a row, by the header line; an empty value is "", a blank line no row.

    A row with more or fewer values than the header is yielded as the list of its values: which belongs to
    which field cannot be known, so the stream's contract must refuse it. Bytes that are no text of the
    encoding become lone surrogates, which reject their record.

    Args:
        file: of any size.
        read: its dialect and encoding.
        what: names it in errors.
        most: characters of the longest row.
        vouched: whether the file is known to be whole, as gzip is once it has been unpacked; else a last line
            without an end counts as cut, for it may lack the end of its last value.

    Raises:
        TryAgain: when a line is no CSV of this dialect, or the file ends within a letter or a line.
        ContractBroken: when most of it is not in this encoding, a row is too long, or the header is absent or
            repeats a name.
    """
    vouched = vouched or read.compression != "none" or read.last_line == "open"
    row = _Row(_lines(file, read, what, most, vouched=vouched), what, most)
    reader = csv.reader(
        row,
        delimiter=read.delimiter,
        quotechar=read.quote,
        quoting=csv.QUOTE_MINIMAL if read.quote else csv.QUOTE_NONE,
        escapechar=read.escape,
        strict=True,
    )
    try:
        yield from _by_header(_rows(reader, row), read, what)
    except csv.Error:
        raise TryAgain(f"line {reader.line_num} is not CSV as agreed") from None


def _by_header(rows: Iterator[list[str]], read: Csv, what: str) -> Iterator[Any]:
    for _ in range(1, read.header_row):
        next(rows, [])
    header = next(rows, [])
    if not all(map(is_text, header)):
        raise _other_encoding(what, read)
    layout = Layout(header, read.columns, what)
    width = len(header)
    names = [layout.names[place] for place in range(width) if place in layout.names]
    count = undecoded = 0
    for row in rows:
        count += 1
        undecoded += not all(map(str.isascii, row)) and not all(map(is_text, row))
        if len(row) != width:
            yield row
        elif len(names) == width:
            yield layout.filled(dict(zip(names, row, strict=True)))
        else:
            yield layout.record(row)
    # Some such rows are faults of theirs; most of the rows, of the encoding.
    if undecoded > max(_FEW, count / 2):
        raise _other_encoding(what, read)


class _Row:
    """Hands lines to the CSV reader, and holds those of the row that it reads."""

    def __init__(self, lines: Iterator[str], what: str, most: int) -> None:
        self._given = lines
        self._what = what
        self._most = most
        self._length = 0
        self.lines: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._given)
        self.lines.append(line)
        self._length += len(line)
        if self._length > self._most:
            raise ContractBroken(
                f"{self._what}: a row of {len(self.lines)} lines is longer than limits.page_bytes"
                f" ({self._most}); a quote may lack its end"
            )
        return line

    def begin(self) -> None:
        self._length = 0
        self.lines = []


def _rows(reader: Iterator[list[str]], row: _Row) -> Iterator[list[str]]:
    row.begin()
    for values in reader:
        row.begin()
        if values:
            yield values


def _lines(file: BinaryIO, read: Csv, what: str, most: int, *, vouched: bool) -> Iterator[str]:
    """Yield decoded lines with their ends, without a byte order mark.

    Windows-1258 and TCVN3, in which tones may be separate marks, are composed to NFC.
    """
    composes = codecs.lookup(read.encoding).name in {"cp1258", tcvn3.NAME}
    text = io.TextIOWrapper(file, read.encoding, errors="surrogateescape", newline="")
    mark = "\ufeff"
    try:
        for line in lines_of(text.readline, most, what):
            if not line.endswith(("\n", "\r")):
                _check_end(line, read, vouched=vouched)
            content = line.removeprefix(mark)
            mark = ""
            yield unicodedata.normalize("NFC", content) if composes else content
    except UnicodeError as error:
        if getattr(error, "reason", "") in _CUT:
            raise TryAgain("ends within a letter") from None
        raise _other_encoding(what, read) from None


def _check_end(line: str, read: Csv, *, vouched: bool) -> None:
    whole = vouched and read.last_line != "open"
    if not whole and not is_text(line[-1]):
        raise TryAgain("ends within a letter")
    if not vouched:
        raise TryAgain("its last line has no end, so it may be cut (else write read.last_line: open)")


def _other_encoding(what: str, read: Csv) -> ContractBroken:
    return ContractBroken(
        f"{what}: is not {read.encoding} text; check `encoding`, and `compression` where it is packed"
    )
