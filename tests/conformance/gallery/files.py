"""The people of the gallery as files: workbooks in zips in a folder, and Parquet behind a listing."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, timedelta, timezone
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from ...connect.serving import Asked, Reply, as_json
from .people import People, Person, living

HOME = timezone(timedelta(hours=7))


def halves(people: People) -> list[Sequence[Person]]:
    """The living in two files, by number."""
    present = sorted(living(people.all.values()), key=lambda each: each.number)
    return [present[:12], present[12:]]


def workbook(people: Iterable[Person]) -> bytes:
    """A workbook as agencies write it: a title, numbers without their zeros, empty rows, a sheet of notes."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Danh sách 1"
    sheet.append(["DANH SÁCH NHÂN KHẨU"])
    sheet.append([])
    sheet.append(["Số định danh  cá nhân", "Họ, chữ đệm\nvà tên", "Ngày sinh", "Ngày cập nhật"])
    for each in people:
        modified = each.modified.astimezone(HOME).replace(tzinfo=None)
        sheet.append([int(each.personal_id), each.name, date.fromisoformat(each.birth), modified])
        sheet.append([])
    book.create_sheet("Ghi chú").append(["không phải dữ liệu"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


class Drop:
    """A folder into which the agency drops all of its workbooks anew."""

    def __init__(self, folder: Path, people: People) -> None:
        self.folder = folder
        self._people = people

    def write(self) -> None:
        for number, half in enumerate(halves(self._people), start=1):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(f"tỉnh/phần {number}.xlsx", workbook(half))
                archive.writestr("đọc trước.txt", "không phải dữ liệu")
            path = self.folder / f"danh-sach-{number}.zip"
            path.write_bytes(packed.getvalue())
            Path(f"{path}.sha256").write_text(hashlib.sha256(packed.getvalue()).hexdigest())


class Listing:
    """A server of Parquet files."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.host = ""

    def __call__(self, request: Asked) -> Reply:
        files = {f"phần-{number}.parquet": parquet(half) for number, half in enumerate(halves(self.people))}
        if request.path == "/exports/manifest.json":
            listed = [
                {"name": name, "sha256": hashlib.sha256(body).hexdigest(), "rows": len(half)}
                for (name, body), half in zip(files.items(), halves(self.people), strict=True)
            ]
            return as_json({"files": listed})
        return next(Reply(body=body) for name, body in files.items() if request.path.endswith(name[-9:]))


def parquet(people: Sequence[Person]) -> bytes:
    columns = {
        "Số định danh": [each.personal_id for each in people],
        "Họ và tên": [each.name for each in people],
        "Ngày sinh": [date.fromisoformat(each.birth) for each in people],
        "Cập nhật": pa.array([each.modified for each in people], pa.timestamp("us", "UTC")),
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()
