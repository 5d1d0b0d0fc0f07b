"""Reads sheets of Excel workbooks as records; the library `python-calamine` reads the cells.

What the library would do silently is looked at first, in the sheet's own XML: it reads a cell with an error,
or a formula without a stored value, as empty, and takes memory for every cell from the first to the last.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from posixpath import join, normpath
from typing import Any, BinaryIO, cast
from xml.parsers import expat

import python_calamine
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from oncehub.config.reading import Xlsx, Xml
from oncehub.connect.formats.table import Layout, cell, number_of
from oncehub.connect.formats.unpacking import CHUNK_BYTES, Member, Tally, opened_zip
from oncehub.connect.formats.unreadable import Unreadable
from oncehub.connect.formats.xml import xml_records
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken
from oncehub.exhaustion import require_memory

_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STRICT_RELATION = "http://purl.oclc.org/ooxml/officeDocument/relationships"
_SHEETS = Xml(
    format="xml", path="/", records="sheets/sheet", namespaces={"r": _RELATION, "s": _STRICT_RELATION}
)
_RELATIONS = Xml(format="xml", path="/", records="Relationship")

_PLACE = re.compile(r"([A-Za-z]{1,3})([1-9][0-9]{0,6})")

# Measured: a cell takes 24 bytes in the library, and its text once more.
_CELL_BYTES = 32
_MEMORY_A_BYTE = 3

_ERROR = "is an error of the spreadsheet, such as #N/A"
_UNCOMPUTED = "is a formula whose value was not stored; open the workbook and save it"

Place = tuple[int, int]
"""Row and column of a cell, counted from 0."""


def xlsx_records(file: BinaryIO, read: Xlsx, what: str, most: int, tally: Tally) -> Iterator[Any]:
    """Yield the rows of the sheets that `read` names, each sheet by its own header.

    Args:
        file: seekable.
        read: which sheets, and their columns.
        what: names it in errors.
        most: bytes that the workbook may unpack to (`limits.page_bytes`), and cells that a sheet may span.
        tally: counts what was read.

    Raises:
        TryAgain: when the file is cut or damaged.
        ContractBroken: when it is no workbook, is too large, or has not the sheets and columns.
    """
    parts = _parts(file, what, most)
    file.seek(0)
    try:
        workbook = CalamineWorkbook.from_object(file)
    except python_calamine.PasswordError:
        raise ContractBroken(f"{what}: is protected by a password; let the source write it without") from None
    except python_calamine.CalamineError:
        raise ContractBroken(f"{what}: is no xlsx workbook, or damaged") from None
    for name in _chosen(workbook, read, what):
        named = f"{what}, sheet {workbook.sheet_names.index(name) + 1}"
        try:
            sheet = workbook.get_sheet_by_name(name)
        except python_calamine.CalamineError:
            raise ContractBroken(f"{named}: cannot be read, it is damaged") from None
        yield from _rows(sheet, parts[name], read, named, tally)


def _chosen(workbook: CalamineWorkbook, read: Xlsx, what: str) -> list[str]:
    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    if read.sheets is not None:
        names = [sheet.name for sheet in sheets if fnmatchcase(sheet.name, read.sheets)]
        if not names:
            raise ContractBroken(
                f"{what}: has no sheet {read.sheets!r}, only {len(sheets)} others; check read.sheets"
            )
        return names
    visible = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    if len(visible) != 1:
        raise ContractBroken(
            f"{what}: has {len(visible)} visible sheets; name those to be read in read.sheets"
        )
    return visible


@dataclass
class _Sheet:
    """What the XML of a sheet says before any of its cells is read.

    Attributes:
        rows, columns: how far its values reach, from the first cell on.
        unread: why cells hold no value to be read, by row and column, counted from 0.
    """

    rows: int = 0
    columns: int = 0
    unread: dict[int, dict[int, str]] = field(default_factory=dict)


class _Scan:
    """Finds out how far a sheet reaches, and which of its cells hold no value to be read."""

    def __init__(self, what: str) -> None:
        self.sheet = _Sheet()
        self._what = what
        self._row = self._column = -1
        self._kind = ""
        self._formula = self._value = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._within = ""

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            raise TryAgain(f"a sheet of it is not well-formed XML from line {error.lineno} on") from None

    def _refuse(self, *_: object) -> None:
        raise ContractBroken(f"{self._what}: a sheet declares a document type (DOCTYPE), which is refused")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._within = local = name.rpartition(" ")[2]
        if local == "row":
            self._row = int(attributes["r"]) - 1 if attributes.get("r", "").isdecimal() else self._row + 1
            self._column = -1
        elif local == "c":
            place = _PLACE.fullmatch(attributes.get("r", ""))
            self._column = number_of(place[1]) if place else self._column + 1
            self._row = int(place[2]) - 1 if place else self._row
            self._kind = attributes.get("t", "")
            self._formula = self._value = False
        elif local == "f":
            self._formula = True

    def _text(self, text: str) -> None:
        self._value = self._value or (self._within in ("v", "t") and bool(text))

    def _end(self, name: str) -> None:
        self._within = ""
        if name.rpartition(" ")[2] != "c":
            return
        if self._kind == "e":
            self._note(_ERROR)
        elif self._formula and not self._value and self._kind != "str":
            self._note(_UNCOMPUTED)
        if self._value or self._formula or self._kind == "e":
            self.sheet.rows = max(self.sheet.rows, self._row + 1)
            self.sheet.columns = max(self.sheet.columns, self._column + 1)

    def _note(self, reason: str) -> None:
        self.sheet.unread.setdefault(self._row, {})[self._column] = reason


def _parts(file: BinaryIO, what: str, most: int) -> dict[str, _Sheet]:
    """Unpack a workbook within its bound, and return what its sheets say, by their names."""
    archive = opened_zip(file)
    tally = Tally(most, f"{what}: its workbook unpacks to more than limits.page_bytes ({most})")
    scanned: dict[str, _Sheet] = {}
    for member in archive.infolist():
        scan = _Scan(what) if member.filename.endswith(".xml") and "/worksheets/" in member.filename else None
        for piece in iter(partial(Member(archive, member, what).read, CHUNK_BYTES), b""):
            tally.add(len(piece))
            if scan:
                scan.feed(piece)
        if scan:
            scan.feed(b"", last=True)
            scanned[member.filename] = scan.sheet
    require_memory(_MEMORY_A_BYTE * tally.passed, f"{what}: reading")
    sheets = {name: scanned.get(part) for name, part in _sheet_parts(archive, what, most)}
    for sheet in sheets.values():
        cells = sheet.rows * sheet.columns if sheet else 0
        if sheet and cells > most:
            raise ContractBroken(
                f"{what}: a sheet spans {sheet.rows} rows and {sheet.columns} columns, more cells than "
                f"limits.page_bytes ({most}); clear the cells far from the table"
            )
        require_memory(_CELL_BYTES * cells, f"{what}: reading")
    return {name: sheet or _Sheet() for name, sheet in sheets.items()}


def _sheet_parts(archive: zipfile.ZipFile, what: str, most: int) -> Iterator[tuple[str, str]]:
    """Yield the names of the sheets, and the files of the workbook that hold them."""
    targets = {
        each["@Id"]: normpath(join("xl", each["@Target"])).lstrip("/")
        for each in _listed(archive, "xl/_rels/workbook.xml.rels", _RELATIONS, what, most)
        if "@Id" in each and "@Target" in each
    }
    for sheet in _listed(archive, "xl/workbook.xml", _SHEETS, what, most):
        yield sheet["@name"], targets.get(sheet.get("@r:id") or sheet.get("@s:id") or "", "")


def _listed(archive: zipfile.ZipFile, name: str, read: Xml, what: str, most: int) -> list[dict[str, Any]]:
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise ContractBroken(f"{what}: is no xlsx workbook, it lacks {name}") from None
    stream = cast(BinaryIO, Member(archive, member, what))
    return list(xml_records(stream, read, what, most))


def _rows(sheet: CalamineSheet, found: _Sheet, read: Xlsx, what: str, tally: Tally) -> Iterator[Any]:
    """Yield the rows of one sheet below its header."""
    layout: Layout | None = None
    for number, row in enumerate(_cells(sheet, found, what), start=1):
        if number < read.header_row:
            continue
        if layout is None:
            layout = Layout([_header(value) for value in row], read.columns, what)
        elif any(value is not None and (not isinstance(value, str) or value.strip()) for value in row):
            tally.row(row)
            yield layout.record(row)
    if layout is None:
        raise ContractBroken(f"{what}: has no row {read.header_row} for its header; check header_row")


def _cells(sheet: CalamineSheet, found: _Sheet, what: str) -> Iterator[list[Any]]:
    """Yield all rows from the first on, each from the first column on, with merged cells filled."""
    first = sheet.start[1] if sheet.start else 0
    merged = _merged(sheet.merged_cell_ranges or [], found, what)
    origins: dict[Place, Any] = {}
    for number, values in enumerate(sheet.iter_rows()):
        row = [None] * first + [cell(value) for value in values]
        for column, reason in found.unread.get(number, {}).items():
            row += [None] * (column + 1 - len(row))
            row[column] = Unreadable(reason, "null")
        for column, origin in merged.get(number, ()):
            row += [None] * (column + 1 - len(row))
            if origin == (number, column):
                origins[origin] = row[column]
            elif row[column] is None:
                row[column] = origins.get(origin)
        yield row


def _header(value: Any) -> str:
    return " ".join(str(value).split()) if value is not None and not isinstance(value, Unreadable) else ""


def _merged(
    ranges: list[tuple[Place, Place]], found: _Sheet, what: str
) -> dict[int, list[tuple[int, Place]]]:
    """Return by row which columns a merged cell covers, and where it begins."""
    covered: dict[int, list[tuple[int, Place]]] = {}
    left = found.rows * found.columns
    for begin, end in ranges:
        rows = range(begin[0], min(end[0] + 1, found.rows))
        columns = range(begin[1], min(end[1] + 1, found.columns))
        left -= len(rows) * len(columns)
        if left < 0:
            raise ContractBroken(f"{what}: its merged cells overlap")
        for row in rows:
            covered.setdefault(row, []).extend((column, begin) for column in columns)
    return covered
