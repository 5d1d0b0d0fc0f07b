"""Rows of a CSV file as records, every value a string."""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from typing import Any

from oncehub.model.errors import ContractBroken


def csv_rows(content: bytes, encoding: str, delimiter: str, what: str) -> list[Any]:
    """Return one dict a row, by the header line; an empty value is "".

    A row with more or fewer values than the header is returned as the list of its values: which belongs to
    which field cannot be known, so the stream's contract must refuse it.

    Raises:
        ContractBroken: when the file is not in `encoding`, no CSV, or its header is absent or repeats a name.
    """
    reader = csv.reader(
        io.StringIO(decoded(content, encoding, what), newline=""), delimiter=delimiter, strict=True
    )
    try:
        header = next(reader, [])
        rows = [row for row in reader if row]
    except csv.Error:
        raise ContractBroken(f"{what}: is not CSV; line {reader.line_num} cannot be read") from None
    if not header or len(set(header)) < len(header):
        raise ContractBroken(f"{what}: needs a header line whose names differ")
    width = len(header)
    return [dict(zip(header, row, strict=True)) if len(row) == width else row for row in rows]


def decoded(content: bytes, encoding: str, what: str) -> str:
    """Decode a file; Windows-1258, whose tones are separate marks, is composed to NFC.

    Raises:
        ContractBroken: when a byte has no meaning in `encoding`.
    """
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise ContractBroken(f"{what}: is not {encoding} text") from None
    if codecs.lookup(encoding).name == "cp1258":
        return unicodedata.normalize("NFC", text)
    return text.removeprefix("\ufeff")
