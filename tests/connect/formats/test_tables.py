"""Workbooks, Parquet, zips, and tables whose headers are no names: what is read, and what is refused."""

from __future__ import annotations

import io
import resource
import zipfile
from collections import deque
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from oncehub.config.access import Limits
from oncehub.config.reading import Parquet, Read, Xlsx
from oncehub.connect.formats import Unreadable, record_slices, xlsx
from oncehub.connect.formats.table import plain
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken
from stubs.servers.protocol.windows1258 import encode_windows_1258

from ..rendering import csv_read, jsonl_read

LIMITS = Limits(page_bytes=20_000_000, file_bytes=50_000_000)


def xlsx_read(**settings: Any) -> Xlsx:
    return Xlsx.model_validate({"format": "xlsx", "path": "/x", **settings})


def parquet_read(**settings: Any) -> Parquet:
    return Parquet.model_validate({"format": "parquet", "path": "/x", **settings})


def records(body: bytes, read: Read, limits: Limits = LIMITS) -> list[Any]:
    slices = record_slices(read, io.BytesIO(body), "land.items: file 1", limits, vouched=True)
    return [record for each in slices for record in each]


def workbook(*rows: Sequence[Any], **sheets: Sequence[Sequence[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    for title, others in sheets.items():
        sheet = book.create_sheet(title)
        for row in others:
            sheet.append(list(row))
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


def altered(body: bytes, name: str, content: bytes) -> bytes:
    """The workbook with another content of one of its files."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.namelist():
            new.writestr(each, content if each == name else old.read(each))
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def moved(body: bytes, file: str, content: bytes, *, holds: bool = True) -> bytes:
    """The workbook with its sheet in another file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.namelist():
            if each != SHEET:
                target = file.removeprefix("xl/") if ".." in file else f"/{file}"
                new.writestr(each, old.read(each).replace(f"/{SHEET}".encode(), target.encode()))
        if holds:
            new.writestr(file, content)
    return out.getvalue()


def sheet_of(rows: str) -> bytes:
    uri = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{uri}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def test_cells_come_in_the_types_of_json_and_empty_rows_are_none() -> None:
    book = workbook(
        ["Họ và tên", "Ngày\nsinh", "Lúc", "Giờ", "Số", "Tỷ lệ", "Có"],
        [
            "Đỗ An",
            date(1990, 3, 15),
            datetime.fromisoformat("2026-01-02T03:04:05"),
            time(8),
            12,
            0.5,
            True,
        ],
        [],
        [None, None, "  "],
        ["Võ Bình", "15/03/1990", None, None, "012", None, False],
    )
    assert records(saved(book), xlsx_read()) == [
        {
            "Họ và tên": "Đỗ An",
            "Ngày sinh": "1990-03-15",
            "Lúc": "2026-01-02T03:04:05",
            "Giờ": "08:00:00",
            "Số": 12,
            "Tỷ lệ": 0.5,
            "Có": True,
        },
        {
            "Họ và tên": "Võ Bình",
            "Ngày sinh": "15/03/1990",
            "Lúc": None,
            "Giờ": None,
            "Số": "012",
            "Tỷ lệ": None,
            "Có": False,
        },
    ]


def test_dates_count_from_where_their_workbook_counts() -> None:
    book = workbook(["ngay"], [date(1990, 3, 15)])
    book.epoch = CALENDAR_MAC_1904
    assert records(saved(book), xlsx_read()) == [{"ngay": "1990-03-15"}]


def test_a_number_of_declared_digits_gets_its_zeros_back_and_nothing_else_passes_for_one() -> None:
    book = workbook(
        ["Số định danh"], [79190000017], ["079190000017"], [7919000001700], ["không có"], [0.5], [None]
    )
    read = xlsx_read(columns={"cccd": {"header": "Số định danh", "digits": 12}})
    *whole, long, word, half = (each["cccd"] for each in records(saved(book), read))
    assert whole == ["079190000017", "079190000017"]
    assert [each.reason for each in (long, word, half)] == [
        "has more than 12 digits",
        "is no number of 12 digits",
        "is no number of 12 digits",
    ]
    # Undeclared, it stays the number that the workbook holds: a contract of texts rejects it.
    assert records(saved(book), xlsx_read())[0] == {"Số định danh": 79190000017}


def test_what_excel_has_rounded_is_not_taken_for_a_number() -> None:
    [record] = records(saved(workbook(["so"], [1903456789012345678])), xlsx_read())
    assert isinstance(record["so"], Unreadable)
    assert record["so"].reason == "is a number of more than 15 digits, whose last ones were rounded"


def test_a_formula_is_the_value_stored_with_it_or_rejects_its_record() -> None:
    body = altered(
        saved(workbook(["a"])),
        SHEET,
        sheet_of(
            '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
            '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c></row>'
            '<row r="3"><c r="A3"><f>1+1</f></c></row>'
            '<row r="4"><c r="A4" t="str"><f>""</f><v></v></c></row>'
            '<row r="5"><c r="A5" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
        ),
    )
    stored, uncomputed, error = (each["a"] for each in records(body, xlsx_read()))
    assert stored == 2
    assert uncomputed.reason.startswith("is a formula whose value was not stored")
    assert error.reason == "is an error of the spreadsheet, such as #N/A"


def test_merged_headers_name_each_column_below_them_and_merged_cells_count_for_all_that_they_cover() -> None:
    book = workbook(
        ["DANH SÁCH CHỦ SỬ DỤNG"],
        ["STT", "Địa chỉ", None, "Chủ hộ"],
        [None, "Tỉnh", "Xã", None],
        [1, "01", "00001", "An"],
        [2, "01", "00002", None],
    )
    for merged in ("A1:D1", "A2:A3", "B2:C2", "D2:D3", "D4:D5"):
        book.active.merge_cells(merged)
    assert records(saved(book), xlsx_read(header_row=3)) == [
        {"STT": 1, "Tỉnh": "01", "Xã": "00001", "Chủ hộ": "An"},
        {"STT": 2, "Tỉnh": "01", "Xã": "00002", "Chủ hộ": "An"},
    ]


def test_headers_that_repeat_or_lack_are_named_by_letter_or_refused() -> None:
    book = workbook(["Tên", "Ngày", "Ngày", None], ["An", "1", "2", "x"])
    with pytest.raises(ContractBroken, match="those of the columns B and C are one; name them"):
        records(saved(book), xlsx_read())
    named = {"cap": {"column": "B"}, "het": {"column": "C"}}
    with pytest.raises(ContractBroken, match="column D holds values but has no name in the header"):
        records(saved(book), xlsx_read(columns=named))
    named["ghi_chu"] = {"column": "D"}
    assert records(saved(book), xlsx_read(columns=named)) == [
        {"Tên": "An", "cap": "1", "het": "2", "ghi_chu": "x"}
    ]


def test_a_declared_column_that_is_not_there_is_told_without_a_value_of_the_file() -> None:
    book = workbook(["Đỗ An", "079190000017"])
    with pytest.raises(ContractBroken, match="no column has the header 'Họ tên'") as caught:
        records(saved(book), xlsx_read(columns={"ten": "Họ tên"}))
    assert "Đỗ" not in str(caught.value)


def test_the_sheets_that_are_read_are_named_where_more_than_one_is_visible() -> None:
    book = workbook(["a"], [1], thang_1=[["a"], [2]], thang_2=[["a"], [3]])
    with pytest.raises(ContractBroken, match="has 3 visible sheets; name those to be read"):
        records(saved(book), xlsx_read())
    assert records(saved(book), xlsx_read(sheets="thang_*")) == [{"a": 2}, {"a": 3}]
    with pytest.raises(ContractBroken, match="has no sheet 'quy_1'"):
        records(saved(book), xlsx_read(sheets="quy_1"))
    for sheet in book.worksheets[1:]:
        sheet.sheet_state = "hidden"
    assert records(saved(book), xlsx_read()) == [{"a": 1}]


def test_a_bomb_in_a_sheet_is_refused_with_its_bound() -> None:
    bomb = altered(saved(workbook(["a"])), SHEET, sheet_of("<row/>" * 4_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(
        ContractBroken, match=r"file 1: its workbook unpacks to more than limits.page_bytes \(20"
    ):
        records(bomb, xlsx_read())


def test_two_cells_at_the_ends_of_a_sheet_take_no_memory_for_those_between() -> None:
    book = workbook(["a"], [1])
    book.active["XFD1048576"] = 1
    with pytest.raises(
        ContractBroken, match="a sheet spans 1048576 rows and 16384 columns, more cells than limits"
    ):
        records(saved(book), xlsx_read())


@pytest.mark.parametrize("file", ["xl/sheets/s.xml", "xl/Worksheets/sheet1.XML", "xl/../xl/worksheets/s.x"])
def test_a_sheet_is_looked_at_wherever_its_file_lies(file: str) -> None:
    cells = '<c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row r="2"><c r="A2" t="e"><v>#N/A</v></c>'
    body = moved(saved(workbook(["a"])), file, sheet_of(f'<row r="1">{cells}</row>'))
    [record] = records(body, xlsx_read())
    assert record["a"].reason == "is an error of the spreadsheet, such as #N/A"


def test_a_sheet_whose_file_is_missing_or_there_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ContractBroken, match="sheet 1: cannot be read, the workbook does not hold the file"):
        records(moved(saved(workbook(["a"])), "xl/elsewhere.xml", b"", holds=False), xlsx_read())
    monkeypatch.setattr(xlsx, "CalamineWorkbook", None)
    body = io.BytesIO(saved(workbook(["a"])))
    with zipfile.ZipFile(body, "a") as archive:
        archive.writestr(SHEET.upper(), sheet_of(""))
    with pytest.raises(ContractBroken, match="holds two files of one name"):
        records(body.getvalue(), xlsx_read())


@pytest.mark.parametrize(
    ("row", "cell", "problem"),
    [
        ("1", "A20000000", "a sheet has a row or cell whose place"),
        ("1", "A1048577", "a sheet has a row or cell whose place"),
        ("1", "XFE1", "a sheet has a row or cell whose place"),
        ("1", "AAAA1", "a sheet has a row or cell whose place"),
        ("A20000000", "", "a sheet has a row or cell whose place"),
        ("20000000", "", "a sheet has a row or cell whose place"),
        ("1", "CV000200001", "a sheet spans 200001 rows and 100 columns"),
    ],
)
def test_a_cell_beyond_the_bound_is_refused_however_its_place_is_written(
    row: str, cell: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library would take memory for all the cells before it.
    monkeypatch.setattr(xlsx, "CalamineWorkbook", None)
    body = altered(
        saved(workbook(["a"])), SHEET, sheet_of(f'<row r="{row}"><c r="{cell}"><v>1</v></c></row>')
    )
    with pytest.raises(ContractBroken, match=problem):
        records(body, xlsx_read())


def test_merged_ranges_without_end_are_cut_to_the_table_or_refused() -> None:
    plain = saved(workbook(["a", "b"], [1, 2]))
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        sheet = archive.read(SHEET)

    def merging(place: str, count: int) -> bytes:
        ranges = f'<mergeCells>{f"""<mergeCell ref="{place}"/>""" * count}</mergeCells></worksheet>'
        return altered(plain, SHEET, sheet.replace(b"</worksheet>", ranges.encode()))

    assert records(merging("C1:XFD1048576", 1), xlsx_read()) == [{"a": 1, "b": 2}]
    with pytest.raises(ContractBroken, match="its merged cells overlap"):
        records(merging("A1:B2", 9), xlsx_read())


def test_entities_are_not_expanded() -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + sheet_of('<row r="1"><c r="A1"><v>1</v></c></row>')
    with pytest.raises(ContractBroken, match="a sheet declares a document type"):
        records(altered(saved(workbook(["a"])), SHEET, laughs), xlsx_read())


def test_a_cut_workbook_is_tried_again_and_another_file_is_told() -> None:
    body = saved(workbook(["a"], [1]))
    for cut in (0, 3, len(body) // 2, len(body) - 1):
        with pytest.raises(TryAgain):
            records(body[:cut], xlsx_read())
    with pytest.raises(ContractBroken, match="is no xlsx workbook, it lacks xl/"):
        records(zipped(a_csv=b"a\n1\n"), xlsx_read())


NESTED = pa.struct({"a'b": pa.struct({"ds": pa.map_(pa.string(), pa.list_(pa.string()))})})


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def test_parquet_comes_in_the_types_of_json() -> None:
    body = parquet(
        ten=["Đỗ An"],
        so=pa.array([2**63 + 1], pa.uint64()),
        tien=[Decimal("10.50")],
        ngay=[date(1990, 3, 15)],
        luc=pa.array([datetime.fromisoformat("2026-01-02T03:04:05Z")], pa.timestamp("us", "UTC")),
        ds=[["a", "b"]],
        dc=[{"tinh": "01"}],
        co=[None],
        la=[float("nan")],
        anh=[b"\xff"],
    )
    [record] = records(body, parquet_read())
    unread = {name: record.pop(name).reason for name in ("la", "anh")}
    assert record == {
        "ten": "Đỗ An",
        "so": str(2**63 + 1),
        "tien": "10.50",
        "ngay": "1990-03-15",
        "luc": "2026-01-02T03:04:05+00:00",
        "ds": ["a", "b"],
        "dc": {"tinh": "01"},
        "co": None,
    }
    assert unread == {"la": "is no finite number", "anh": "holds bytes"}


def test_a_value_that_takes_gigabytes_unpacked_is_refused_with_its_bound() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": ["x" * 400_000_000]}), file, compression="zstd")
    assert len(file.getvalue()) < 50_000
    with pytest.raises(
        ContractBroken, match=r"takes more memory than four times limits.page_bytes \(20000000\)"
    ):
        records(file.getvalue(), parquet_read())


SPANS = {
    timedelta(hours=8, minutes=30): "08:30:00",
    timedelta(0, 1, 500_000): "00:00:01.500000",
    timedelta(days=1, hours=2): "P1DT2H0M0S",
    -timedelta(seconds=1): "-P0DT0H0M1S",
}


def test_decimals_are_written_out_and_spans_are_times_of_a_day_or_durations() -> None:
    tiny = [Decimal(0).scaleb(-10), Decimal("0.00000012"), Decimal("1E+3"), Decimal("-0.5")]
    assert [plain(each) for each in tiny] == ["0.0000000000", "0.00000012", "1000", "-0.5"]
    for each in ("NaN", "-Infinity"):
        assert plain(Decimal(each)) == Unreadable("is no finite number", f'"{each}"')
    body = parquet(so=pa.array([tiny[0]], pa.decimal128(38, 10)))
    assert records(body, parquet_read()) == [{"so": "0.0000000000"}]
    assert {each: plain(each) for each in SPANS} == SPANS


@pytest.mark.parametrize("nested", [False, True])
def test_a_text_that_stands_in_every_row_is_refused_before_it_is_unpacked(nested: bool) -> None:
    text = pa.DictionaryArray.from_arrays([0] * 1000, ["x" * 700_000])
    column = pa.array([{"a'b": {"ds": [("k", ["x" * 700_000])]}}] * 400, NESTED) if nested else text
    file = io.BytesIO()
    pq.write_table(pa.table({'t"en': column}), file, compression="zstd")
    assert len(file.getvalue()) < 50_000
    limits = Limits(page_bytes=20_000_000, file_bytes=10**9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ContractBroken, match=r"file 1: unpacking it takes more memory than four times"):
        records(file.getvalue(), parquet_read(), limits)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000


def test_memory_that_ends_while_rows_are_fetched_is_told_with_file_and_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ended(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("oncehub.connect.formats.parquet.plain", ended)
    with pytest.raises(ContractBroken, match=r"file 1: unpacking it takes more memory .* \(20000000\)"):
        records(parquet(a=["x"]), parquet_read())


def test_nested_parquet_and_none_of_it_is_read() -> None:
    value = {"a'b": {"ds": [("k", ["x", None])]}}
    [record] = records(parquet(b=pa.array([value], NESTED)), parquet_read())
    assert record == {"b": {"a'b": {"ds": {"k": ["x", None]}}}}
    assert records(parquet(b=pa.array([], NESTED)), parquet_read()) == []


def test_parquet_of_many_columns_is_read() -> None:
    [record] = records(parquet(**{f"c{number}": [number] for number in range(1_200)}), parquet_read())
    assert len(record) == 1_200


def test_rows_without_end_are_refused_with_their_bound() -> None:
    file = io.BytesIO()
    many = pa.table({"a": pa.array(["x" * 100]).take(pa.array([0] * 1_000_000))})
    pq.write_table(many, file, compression="zstd")
    assert len(file.getvalue()) < 50_000
    with pytest.raises(ContractBroken, match=r"is larger than limits.file_bytes \(50000000\)"):
        records(file.getvalue(), parquet_read())


def test_damaged_parquet_is_told() -> None:
    whole = parquet(a=list(range(1000)))
    # The footer of the second says that there are more rows than there are.
    for body in (b"", b"PAR1", whole[:-3], whole[:50] + bytes(200) + whole[250:]):
        with pytest.raises(TryAgain, match="is no Parquet, or is cut or damaged"):
            records(body, parquet_read())


def test_the_files_of_a_zip_are_read_in_the_order_of_their_names() -> None:
    body = zipped(b_csv=b"a\n2\n", a_csv=b"a\n1\n", doc_txt=b"no")
    assert records(body, csv_read(compression="zip", members="*.csv")) == [{"a": "1"}, {"a": "2"}]
    with pytest.raises(ContractBroken, match=r"holds no file '\*.xml'; check read.members"):
        records(body, csv_read(compression="zip", members="*.xml"))
    inner = zipped(so_xlsx=saved(workbook(["a"], [1])), bang_xlsx=saved(workbook(["a"], [2])))
    assert records(inner, xlsx_read(compression="zip")) == [{"a": 2}, {"a": 1}]


def test_a_zip_bomb_is_refused_with_its_bound() -> None:
    bomb = zipped(a_jsonl=b'{"a":1}\n' * 4_000_000, b_jsonl=b'{"a":1}\n' * 4_000_000)
    assert len(bomb) < 200_000
    limits = Limits(page_bytes=1_000_000, file_bytes=40_000_000)
    slices = record_slices(jsonl_read(compression="zip"), io.BytesIO(bomb), "x: file 1", limits, vouched=True)
    with pytest.raises(ContractBroken, match=r"file 1: is larger than limits.file_bytes \(40000000\)"):
        deque(slices, maxlen=0)


def test_a_damaged_zip_is_told_and_a_cut_one_tried_again() -> None:
    body = zipped(a_csv=b"a\n" + b"1\n" * 1000)
    at = body.index(b"a.csv") + 8
    broken = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
    with pytest.raises(ContractBroken, match="file 1 in its zip: is damaged, or does not match"):
        records(broken, csv_read(compression="zip"))
    with pytest.raises(TryAgain, match="is no zip, or is cut"):
        records(body[:-10], csv_read(compression="zip"))


def test_csv_headers_with_spaces_and_marks_are_named_however_they_are_composed() -> None:
    body = "DANH SÁCH\nHo\u0323 va\u0300  te\u0302n;Số CMND/CCCD;\nĐỗ An;79190000017;\n".encode()
    read = csv_read(
        delimiter=";",
        header_row=2,
        columns={"ten": "Họ và tên", "cccd": {"header": "Số CMND/CCCD", "digits": 12}},
    )
    assert records(body, read) == [{"ten": "Đỗ An", "cccd": "079190000017"}]


@pytest.mark.parametrize("encoding", ["tcvn3", "cp1258", "utf-16", "utf-8-sig"])
def test_old_vietnamese_encodings_are_read_where_they_are_declared(encoding: str) -> None:
    text = "ten\nĐỗ Thị Ánh Tuyết\n".replace("Á", "A") if encoding == "tcvn3" else "ten\nĐỗ Thị Ánh Tuyết\n"
    body = encode_windows_1258(text) if encoding == "cp1258" else text.encode(encoding)
    assert records(body, csv_read(encoding=encoding)) == [{"ten": text.split("\n")[1]}]
