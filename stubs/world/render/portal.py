"""The portal's accounts and dossiers, typed by people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import polars as pl

from stubs.world.clock import DAY, dates, iso_local, local_times
from stubs.world.dossiers import DONE, PROCEDURES, REFUSED, RETURNED
from stubs.world.people.places import EDITION_FORMER, EDITION_NOW, places
from stubs.world.planting.rates import Fault
from stubs.world.records import ACTIVE, CLOSED, YEAR_ALONE
from stubs.world.render.names import blank, choose, digit, lists_of, mail, padded, typed_name, typed_phone
from stubs.world.state import State
from stubs.world.table import Table

_SEXES = pl.Series(["Nam", "Nam", "nam", "NAM", "Nữ", "Nữ", "nữ", "NỮ"])


def accounts(state: State) -> pl.DataFrame:
    """Every account, deleted ones included, as the wire frame of `portal.accounts`."""
    table = state.records["portal"]
    form = table["form"]
    frame = pl.DataFrame(
        {
            "MaTaiKhoan": padded(table["key"], 8, "TK"),
            "HoTen": blank(typed_name(table), table["fault"] == Fault.MISSING_NAME),
            "SoDinhDanh": _typed_number(table),
            "SoCMND": padded(table["cmnd"], 9, missing=table["cmnd"] < 0),
            "NgaySinh": _typed_birth(table),
            "GioiTinh": _SEXES.gather(pl.Series((table["sex"].astype(np.int64) - 1) * 4 + digit(form, 6, 4))),
            "SoDienThoai": typed_phone(table),
            "Email": mail(table, mixed_case=True),
            "DiaChi": _address(state),
            "XacThucVNeID": pl.Series(digit(form, 7, 10) < 7),
            "TrangThai": pl.Series(
                np.select([table["status"] == ACTIVE, table["status"] == CLOSED], [1, 0], 2)
            ),
            "DaXoa": pl.Series(table["deleted"]),
            "NgayCapNhat": iso_local(table["updated"]),
        }
    )
    return frame.with_columns(
        _raw=spoil(frame, table, lambda row: row | {"TrangThai": f"trạng thái {row['TrangThai']}"})
    )


def spoil(frame: pl.DataFrame, table: Table, change: Callable[[dict[str, Any]], dict[str, Any]]) -> pl.Series:
    """JSON text of the records with a wrong type; null for all others."""
    rows = np.flatnonzero(table["fault"] == Fault.WRONG_TYPE)
    texts = [orjson.dumps(change(row)).decode() for row in frame[rows].iter_rows(named=True)]
    return (
        pl.Series([None], dtype=pl.String)
        .new_from_index(0, len(table))
        .scatter(rows, pl.Series(texts, dtype=pl.String))
    )


def _typed_number(table: Table) -> pl.Series:
    number = padded(table["pid"], 12)
    spaced = (
        number.str.slice(0, 3)
        + " "
        + number.str.slice(3, 3)
        + " "
        + number.str.slice(6, 3)
        + " "
        + number.str.slice(9, 3)
    )
    return blank(
        choose((digit(table["form"], 8, 10) == 0).astype(np.int64), [number, spaced]), table["pid"] == 0
    )


def _typed_birth(table: Table) -> pl.Series:
    kind = np.array([0, 0, 0, 1, 2])[digit(table["form"], 9, 5)]
    kind = np.select(
        [table["fault"] == Fault.IMPOSSIBLE_DATE, table["birth_form"] == YEAR_ALONE], [4, 3], kind
    )
    year = dates(table["birth"], "%Y")
    options = [dates(table["birth"], pattern) for pattern in ("%d/%m/%Y", "%-d-%-m-%Y", "%Y-%m-%d")]
    return choose(kind, [*options, year, "31/02/" + year])


def _address(state: State) -> pl.Series:
    table, addresses = state.records["portal"], state.addresses
    rows = np.maximum(table["addr"], 0)
    old = table["addr_old"]
    address = pl.DataFrame(
        {
            "MaXa": places().code(addresses["pair"][rows], old),
            "NgayDanhMuc": pl.Series([EDITION_NOW, EDITION_FORMER]).gather(pl.Series(old.astype(np.int64))),
            "ChiTiet": places().details(addresses, rows),
        }
    ).to_struct("address")
    return blank(address, table["addr"] < 0)


def dossiers(state: State) -> pl.DataFrame:
    """Every dossier, deleted ones included, as the wire frame of `portal.dossiers`."""
    table = state.dossiers
    procedure = pl.Series(table["procedure"])
    days = np.array([each.days for each in PROCEDURES])[table["procedure"]]
    moment = "%Y-%m-%dT%H:%M:%S+07:00"
    received = local_times(table["filed"], moment)
    impossible = received.str.slice(0, 4) + "-02-31T08:00:00+07:00"
    received = received.zip_with(pl.Series(table["fault"] != Fault.IMPOSSIBLE_DATE), impossible)
    over = table["finished"] > 0
    finished = blank(local_times(table["finished"], moment), ~over)
    number, titles = padded(table["pid"], 12), pl.Series([each.title for each in PROCEDURES])
    owner = typed_name(table)
    frame = pl.DataFrame(
        {
            "MaHoSo": dossier_numbers(table),
            "MaTTHC": pl.Series([each.code for each in PROCEDURES]).gather(procedure),
            "TenTTHC": titles.gather(procedure),
            "MaLinhVuc": pl.Series([each.field for each in PROCEDURES]).gather(procedure),
            "KenhThucHien": pl.Series(table["channel"]).cast(pl.String),
            "ChuHoSo": blank(owner, table["fault"] == Fault.MISSING_NAME),
            "SoGiayToChuHoSo": number,
            "LoaiDoiTuong": pl.Series(["0"]).new_from_index(0, len(table)),
            "MaDoiTuong": padded(table["account"], 8, "TK"),
            "Email": mail(table),
            "SoDienThoai": typed_phone(table),
            "TrichYeuHoSo": titles.gather(procedure),
            "NgayTiepNhan": received,
            "NgayHenTra": local_times(table["filed"] + days * DAY, moment),
            "NgayTra": blank(finished, (table["status"] != RETURNED) | ~over),
            "NgayKetThucXuLy": blank(finished, ~np.isin(table["status"], [DONE, RETURNED, REFUSED]) | ~over),
            "TrangThaiHoSo": pl.Series(table["status"]).cast(pl.String),
            "DonViXuLy": "H" + padded(table["office"], 2) + "." + padded(digit(table["form"], 10, 40) + 1, 2),
            "HoSoCoThanhPhanSoHoa": pl.Series((table["documents"] > 0).astype(np.int8)).cast(pl.String),
            "TaiKhoanDuocXacThucVoiVNeID": pl.Series(table["verified"].astype(np.int8)).cast(pl.String),
            "DinhDanhCHS": _one_each(
                LoaiDinhDanh=pl.Series(["1"]).new_from_index(0, len(table)), SoDinhDanh=number
            ),
            "DSKetNoiCSDL": _one_each(MaCSDL=pl.Series(["CSDLQG_DC"]).new_from_index(0, len(table))),
            "TaiLieuNop": _documents(table),
            "DaXoa": pl.Series(table["deleted"]),
            "NgayCapNhat": iso_local(table["updated"]),
        }
    )
    return frame.with_columns(
        _raw=spoil(frame, table, lambda row: row | {"MaTTHC": float(row["MaTTHC"][2:])})
    )


def dossier_numbers(table: Table) -> pl.Series:
    """Dossier numbers in the pattern of Nghị định 61/2018, or of Quyết định 20/2020 since."""
    office, serial = padded(table["office"], 2), table["key"]
    day = local_times(table["filed"], "%y%m%d")
    # The old pattern has room for four digits only: the rest goes into the numbers of the unit below.
    unit = padded(serial // 1_000_000 % 100, 2) + "." + padded(serial // 10_000 % 100, 2)
    old = "000." + unit + ".H" + office + "-" + day + "-" + padded(serial % 10_000, 4)
    return choose(
        table["old_number"].astype(np.int64), ["H" + office + ".12-" + day + "-" + padded(serial, 7), old]
    )


def _one_each(**fields: pl.Series) -> pl.Series:
    frame = pl.DataFrame(fields)
    return frame.select(pl.concat_list(pl.struct(pl.all()))).to_series()


def _documents(table: Table) -> pl.Series:
    count = table["documents"]
    owner = np.repeat(np.arange(len(table)), count)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    number = padded(table["key"][owner] * 10 + place, 9)
    form = table["form"][owner].astype(np.uint64) + (place * 7_919).astype(np.uint64)
    results, result = pl.Series([each.result for each in PROCEDURES]), digit(form, 3, len(PROCEDURES))
    documents = pl.DataFrame(
        {
            "TepDinhKemId": "TDK" + number,
            "TenTepDinhKem": _file_names().gather(pl.Series(place)),
            "MaThanhPhanHoSo": "TP" + padded(place + 1, 2),
            "DuongDanTaiTepTin": "/tep/" + number,
            "DuocSoHoa": pl.Series((digit(form, 0, 4) > 0).astype(np.int64)),
            "DuocTaiSuDung": pl.Series((digit(form, 1, 3) == 0).astype(np.int64)),
            "DuocLayTuKhoDMQG": pl.Series((digit(form, 2, 5) == 0).astype(np.int64)),
            "MaKetQuaThayThe": blank(results.gather(pl.Series(result)), digit(form, 4, 6) > 0),
            "IsDeleted": pl.Series(digit(form, 5, 40) == 0),
        }
    )
    return lists_of(owner, documents, len(table))


def _file_names() -> pl.Series:
    return pl.Series(["to-khai.pdf", "giay-to-cho-o.pdf", "anh-chan-dung.jpg", "van-ban-uy-quyen.pdf"])
