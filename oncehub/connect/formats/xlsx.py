"""Reads sheets of Excel workbooks as records; the library `python-calamine` reads the cells.

What the library would do silently is looked at first, in the sheet's own XML: it reads a cell with an error,
or a formula without a stored value, as empty, and takes memory for every cell from the first to the last.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
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

_PLACE = re.compile(r"([A-Za-z]{1,3})0*([1-9][0-9]{0,6})")
_ROW = re.compile(r"0*([1-9][0-9]{0,6})")
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384

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
        if name not in parts:
            raise ContractBroken(f"{named}: cannot be read, the workbook does not hold the file of the sheet")
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
        self._row = self._column = self._cell_row = -1
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
            self._row = self._placed(_ROW, attributes["r"])[0] if attributes.get("r") else self._row + 1
            self._column = -1
        elif local == "c":
            # A cell that names another row than its own lies there, and those after it in their own again.
            if attributes.get("r"):
                self._cell_row, self._column = self._placed(_PLACE, attributes["r"])
            else:
                self._cell_row, self._column = self._row, self._column + 1
            self._kind = attributes.get("t", "")
            self._formula = self._value = False
        elif local == "f":
            self._formula = True

    def _placed(self, pattern: re.Pattern[str], name: str) -> Place:
        place = pattern.fullmatch(name)
        *column, row = place.groups() if place else ("0",)
        found = int(row) - 1, number_of("".join(column))
        if not (0 <= found[0] < _MOST_ROWS and found[1] < _MOST_COLUMNS):
            raise ContractBroken(
                f"{self._what}: a sheet has a row or cell whose place (its attribute r) is none from A1 to "
                "XFD1048576; let the source write the workbook anew"
            )
        return found

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
            self.sheet.rows = max(self.sheet.rows, self._cell_row + 1)
            self.sheet.columns = max(self.sheet.columns, self._column + 1)

    def _note(self, reason: str) -> None:
        self.sheet.unread.setdefault(self._cell_row, {})[self._column] = reason


def _parts(file: BinaryIO, what: str, most: int) -> dict[str, _Sheet]:
    """Unpack a workbook within its bound, and return what its sheets say, by their names."""
    archive = opened_zip(file)
    files: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        if files.setdefault(_folded(member.filename), member) is not member:
            raise ContractBroken(
                f"{what}: its workbook holds two files of one name; let the source write it anew"
            )
    holders = _holders(archive, files, what, most)
    scans = {file: _Scan(what) for file in holders.values() if file in files}
    tally = Tally(most, f"{what}: its workbook unpacks to more than limits.page_bytes ({most})")
    for name, member in files.items():
        scan = scans.get(name)
        for piece in iter(partial(Member(archive, member, what).read, CHUNK_BYTES), b""):
            tally.add(len(piece))
            if scan:
                scan.feed(piece)
        if scan:
            scan.feed(b"", last=True)
    require_memory(_MEMORY_A_BYTE * tally.passed, f"{what}: reading")
    for sheet in (scan.sheet for scan in scans.values()):
        cells = sheet.rows * sheet.columns
        if cells > most:
            raise ContractBroken(
                f"{what}: a sheet spans {sheet.rows} rows and {sheet.columns} columns, more cells than "
                f"limits.page_bytes ({most}); clear the cells far from the table"
            )
        require_memory(_CELL_BYTES * cells, f"{what}: reading")
    return {name: scans[holder].sheet for name, holder in holders.items() if holder in scans}


def _folded(name: str) -> str:
    """Name a file of a workbook as the library looks it up: without case, and with either slash."""
    return name.replace("\\", "/").lower()


def _holders(
    archive: zipfile.ZipFile, files: Mapping[str, zipfile.ZipInfo], what: str, most: int
) -> dict[str, str]:
    """Return by the names of the sheets which file of the workbook the library reads each from."""
    relations = _opened(archive, files, "xl/_rels/workbook.xml.rels", what)
    targets = {
        each["@Id"]: each["@Target"][1:] if each["@Target"].startswith("/") else f"xl/{each['@Target']}"
        for each in xml_records(relations, _RELATIONS, what, most)
        if "@Id" in each and "@Target" in each
    }
    holders: dict[str, str] = {}
    listed = _opened(archive, files, "xl/workbook.xml", what)
    for sheet in xml_records(listed, _SHEETS, what, most):
        if sheet["@name"] in holders:
            raise ContractBroken(f"{what}: has two sheets of one name; let the source rename one")
        holders[sheet["@name"]] = _folded(targets.get(sheet.get("@r:id") or sheet.get("@s:id") or "", ""))
    return holders


def _opened(archive: zipfile.ZipFile, files: Mapping[str, zipfile.ZipInfo], name: str, what: str) -> BinaryIO:
    if name not in files:
        raise ContractBroken(f"{what}: is no xlsx workbook, it lacks {name}")
    return cast(BinaryIO, Member(archive, files[name], what))


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
