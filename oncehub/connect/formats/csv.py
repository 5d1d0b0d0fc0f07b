"""Rows of CSV as records, every value a string."""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterator
from typing import Any, BinaryIO

from oncehub.connect.failures import TryAgain
from oncehub.connect.formats.unpacking import lines_of
from oncehub.model.errors import ContractBroken
from oncehub.model.reading import Csv

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
        vouched: the file is known to be whole; else a last line without an end counts as cut.

    Raises:
        TryAgain: when the file ends within a letter, a value or a line.
        ContractBroken: when it is no CSV of this dialect and encoding, or its header is absent or repeats a
            name.
    """
    lines = _Lines(file, read.encoding, what, most, vouched=vouched)
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
        if lines.ended:
            raise TryAgain("ends within a value") from None
        reason = "a value is too long" if "field limit" in str(error) else "it cannot be read"
        raise ContractBroken(f"{what}: is not CSV as agreed; line {reader.line_num}: {reason}") from None


def _by_header(reader: Iterator[list[str]], what: str) -> Iterator[Any]:
    rows = (row for row in reader if row)
    header = next(rows, [])
    if not header or len(set(header)) < len(header):
        raise ContractBroken(f"{what}: needs a header line whose names differ")
    width = len(header)
    for row in rows:
        yield dict(zip(header, row, strict=True)) if len(row) == width else row


class _Lines:
    """Decoded lines with their ends; `ended` once there are no more.

    Windows-1258, whose tones are separate marks, is composed to NFC; a byte order mark is dropped.
    """

    def __init__(self, file: BinaryIO, encoding: str, what: str, most: int, *, vouched: bool) -> None:
        self.ended = False
        self._text = io.TextIOWrapper(file, encoding, newline="")
        self._lines = lines_of(self._text.readline, most, what)
        self._composes = codecs.lookup(encoding).name == "cp1258"
        self._refusal = f"{what}: is not {encoding} text"
        self._vouched = vouched
        self._first = True

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._next_line()
        if self._first:
            line = line.removeprefix("\ufeff")
            self._first = False
        if not self._vouched and not line.endswith(("\n", "\r")):
            raise TryAgain("its last line has no end")
        return unicodedata.normalize("NFC", line) if self._composes else line

    def _next_line(self) -> str:
        try:
            line = next(self._lines, None)
        except UnicodeError as error:
            if getattr(error, "reason", "") in _CUT:
                raise TryAgain("ends within a letter") from None
            raise ContractBroken(self._refusal) from None
        if line is None:
            self.ended = True
            # The caller's file must outlive its wrapper.
            self._text.detach()
            raise StopIteration
        return line
