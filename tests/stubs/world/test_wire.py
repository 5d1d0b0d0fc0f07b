"""Records have the shapes, codes and check digits of the wire."""

import json
import re
import unicodedata
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from stdnum.vn import mst

from stubs.world import World
from stubs.world.people.spelling import TCVN3, betrays_tcvn3, fold, other_tone_place, slips, tcvn3_capitals

CODES = Path(__file__).parents[3] / "mappings" / "codes"
PERSONAL_ID = r"0\d{2}[0-3]\d{8}"
FIELDS = {
    ("population", "citizens"): (
        "Id SoDinhDanh SoDinhDanhCu SoCMND HoVaTen TenGoiKhac GioiTinh DanToc TonGiao TinhTrangHonNhan "
        "NhomMau NgayThangNamSinh NoiSinh NoiDangKyKhaiSinh QueQuan ThuongTru TamTru NoiOHienTai QuocTich "
        "Cha Me VoChong ChuHo SoHoSoCuTru CanCuoc NgayChet TrangThai NgayCapNhat"
    ),
    ("portal", "accounts"): (
        "MaTaiKhoan HoTen SoDinhDanh SoCMND NgaySinh GioiTinh SoDienThoai Email DiaChi XacThucVNeID "
        "TrangThai DaXoa NgayCapNhat"
    ),
    ("portal", "dossiers"): (
        "MaHoSo MaTTHC TenTTHC MaLinhVuc KenhThucHien ChuHoSo SoGiayToChuHoSo LoaiDoiTuong MaDoiTuong Email "
        "SoDienThoai TrichYeuHoSo NgayTiepNhan NgayHenTra NgayTra NgayKetThucXuLy TrangThaiHoSo DonViXuLy "
        "HoSoCoThanhPhanSoHoa TaiKhoanDuocXacThucVoiVNeID DinhDanhCHS DSKetNoiCSDL TaiLieuNop DaXoa "
        "NgayCapNhat"
    ),
    ("tax", "registrations"): (
        "mst soDinhDanh soCMND hoTen ngaySinh gioiTinh quocTich diaChi dienThoai email coQuanThue ngayCap "
        "trangThai ngayCapNhat"
    ),
    ("customs", "declarants"): (
        "MA_NGUOI_KHAI LOAI TEN SO_DINH_DANH SO_CMND MST DIA_CHI DIEN_THOAI NGAY_DANG_KY TRANG_THAI "
        "NGAY_CAP_NHAT"
    ),
    ("banking", "accounts"): ("RsrcId AcctId Sts OpngDt Ccy ConsentRef LastChngDtTm Ownr"),
}


@cache
def world() -> World:
    return World.generate(2000, 1)


def sound(system: str, stream: str) -> pl.DataFrame:
    """Live records but the broken."""
    broken = world().truth().broken.filter(source=system, stream=stream)
    frame = world().frame(system, stream).filter(~pl.col("_deleted"))
    return frame.join(broken, left_on="_key", right_on="source_key", how="anti")


@pytest.mark.parametrize(("system", "stream"), FIELDS)
def test_a_frame_has_the_fields_of_the_wire_sorted_by_time_and_key(system: str, stream: str) -> None:
    frame = world().frame(system, stream)
    fields = FIELDS[system, stream].split()
    assert [name for name in frame.columns if not name.startswith("_")] == fields
    assert frame.schema["_updated_at"] == pl.Datetime("us", "UTC")
    assert frame["_key"].is_unique().all()
    assert frame.select("_updated_at", "_key").equals(
        frame.select("_updated_at", "_key").sort("_updated_at", "_key")
    )
    assert frame["_updated_at"].max() <= world().now


def test_personal_numbers_are_unique_and_say_province_sex_and_year() -> None:
    people = sound("population", "citizens")
    former = people["SoDinhDanhCu"].explode(empty_as_null=False).struct.field("SoDinhDanh").to_list()
    numbers = people["SoDinhDanh"].to_list() + former
    assert former
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(PERSONAL_ID, number) for number in numbers)
    for number, sex, birth in people.select("SoDinhDanh", "GioiTinh", "NgayThangNamSinh").iter_rows():
        year = (birth["NgayThangNam"] or birth["NamSinh"])[:4]
        assert number[3:6] == f"{(int(year[:2]) - 19) * 2 + sex - 1}{year[2:]}"
    assert people["SoCMND"].drop_nulls().is_unique().all()
    assert people["SoCMND"].drop_nulls().str.contains(r"^\d{9}$").all()


def test_both_editions_of_the_communes_are_in_use() -> None:
    codes = {
        edition: set(pl.read_csv(CODES / file, infer_schema=False)[column])
        for edition, file, column in (
            ("2025-07-01", "admin_units.csv", "ward_code"),
            ("2024-12-01", "admin_unit_successors.csv", "old_ward_code"),
        )
    }
    homes = sound("population", "citizens")["ThuongTru"].struct.unnest()
    assert all(
        code in codes[edition]
        for code, edition in homes.select("MaDonViHanhChinh", "NgayDanhMuc").iter_rows()
    )
    assert 0.1 < (homes["NgayDanhMuc"] == "2024-12-01").mean() < 0.2


def test_births_are_a_day_or_a_year() -> None:
    births = sound("population", "citizens")["NgayThangNamSinh"].struct.unnest()
    assert (births["NgayThangNam"].is_null() != births["NamSinh"].is_null()).all()
    assert births["NamSinh"].drop_nulls().len() > 0


def test_tombstones_show_only_the_key() -> None:
    gone = world().frame("population", "citizens").filter("_deleted")
    assert gone.height > 0
    for key, raw in gone.select("_key", "_raw").iter_rows():
        assert json.loads(raw).keys() == {"Id", "DaXoa", "NgayCapNhat"}
        assert json.loads(raw)["Id"] == key


def test_tax_codes_have_a_valid_check_digit_but_where_planted() -> None:
    frame = world().frame("tax", "registrations")
    broken = set(world().truth().broken.filter(fault="check_digit")["source_key"])
    assert broken
    assert set(frame["mst"].str.len_chars()) == {10, 12, 14}
    for code in frame["mst"]:
        assert re.fullmatch(PERSONAL_ID, code) or mst.is_valid(code) == (code not in broken)
    firms = world().frame("customs", "declarants").filter(LOAI="2")
    assert all(mst.is_valid(code) for code in firms["MST"])


def test_about_one_tax_name_in_eight_is_in_tcvn3() -> None:
    capitals = {letter.upper() for letter in TCVN3}
    names = sound("tax", "registrations")["hoTen"].to_list()
    legacy = [name for name in names if any(ord(c) > 127 and c not in capitals for c in name)]
    assert 0.08 < len(legacy) / len(names) < 0.17
    assert all(name == name.upper() for name in names if name not in set(legacy))


def test_former_commune_codes_stand_in_tax_records_of_their_time() -> None:
    frame = sound("tax", "registrations").filter(pl.col("diaChi").is_not_null())
    former = set(pl.read_csv(CODES / "admin_unit_successors.csv", infer_schema=False)["old_ward_code"])
    present = set(pl.read_csv(CODES / "admin_units.csv", infer_schema=False)["ward_code"])
    reform = pl.datetime(2025, 6, 30, 17, time_zone="UTC")
    assert set(frame.filter(pl.col("_updated_at") < reform)["diaChi"].struct.field("maXa")) <= former
    assert set(frame.filter(pl.col("_updated_at") >= reform)["diaChi"].struct.field("maXa")) <= present


def test_the_portal_shows_how_people_type() -> None:
    accounts = sound("portal", "accounts")
    shapes = {re.sub(r"\d", "9", phone) for phone in accounts["SoDienThoai"].drop_nulls()}
    assert shapes == {"9999999999", "+99 999 999 999", "9999.999.999", "99999999999"}
    assert {re.sub(r"\d+", "9", birth) for birth in accounts["NgaySinh"]} == {"9/9/9", "9-9-9", "9"}
    assert {sex.lower() for sex in accounts["GioiTinh"]} == {"nam", "nữ"}
    names = accounts["HoTen"].to_list()
    assert any(unicodedata.normalize("NFC", name) != name for name in names)
    assert any("  " in name for name in names)
    assert any(name.isupper() for name in names)
    assert any(name.islower() for name in names)


def test_dossiers_have_numbers_of_both_patterns_and_documents() -> None:
    dossiers = sound("portal", "dossiers")
    old, new = (
        r"^\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2}-\d{6}-\d{4}$",
        r"^[A-Z]\d{2}(\.\d{1,3}){0,4}-\d{6,8}-\d{4,7}$",
    )
    assert 0 < dossiers["MaHoSo"].str.contains(old).sum() < dossiers.height
    assert (dossiers["MaHoSo"].str.contains(old) | dossiers["MaHoSo"].str.contains(new)).all()
    assert set(dossiers["TaiLieuNop"].list.len()) == {0, 1, 2, 3, 4}
    assert set(dossiers["TrangThaiHoSo"]) <= {str(code) for code in range(1, 11)}
    assert set(dossiers["MaDoiTuong"]) <= set(world().frame("portal", "accounts")["MaTaiKhoan"])


def test_customs_declarants_are_people_and_companies_in_letters_that_windows_1258_has() -> None:
    frame = world().frame("customs", "declarants")
    assert 0.2 < (frame["LOAI"] == "2").mean() < 0.3
    letters = set("".join(frame["TEN"].to_list() + frame["DIA_CHI"].to_list()))
    assert all(c.isascii() or c in TCVN3 or c.lower() in TCVN3 for c in letters)


def test_banks_print_names_without_accents_and_number_their_owners() -> None:
    accounts = sound("banking", "accounts")
    owners = accounts["Ownr"].to_list()
    assert all(re.fullmatch(r"[A-Z' ]+", owner["Nm"]) for owner in owners)
    schemes = {each["SchmeNm"]["Cd"] for owner in owners for each in owner["Id"]["PrvtId"]["Othr"]}
    assert schemes == {"NIDN", "TXID", "CCPT", "CMND"}
    assert any(not owner["Id"]["PrvtId"]["Othr"] for owner in owners)
    assert all(
        re.fullmatch(r"\+84-\d{9}", owner["CtctDtls"]["PhneNb"] or "+84-000000000") for owner in owners
    )


def test_records_of_a_wrong_type_are_whole_but_for_the_type() -> None:
    for (system, stream), fields in FIELDS.items():
        frame = world().frame(system, stream).filter(pl.col("_raw").is_not_null() & ~pl.col("_deleted"))
        broken = world().truth().broken.filter(source=system, stream=stream, fault="wrong_type")
        assert set(frame["_key"]) == (set() if system == "customs" else set(broken["source_key"]))
        for raw in frame["_raw"]:
            assert list(json.loads(raw)) == fields.split()


@pytest.mark.parametrize(
    ("word", "moved", "legacy"),
    [("Hòa", "Hoà", "HßA"), ("Thuỷ", "Thủy", "THUû"), ("Quý", "Quý", "QUý"), ("Nguyễn", "Nguyễn", "NGUYÔN")],
)
def test_words_change_tone_place_and_encoding(word: str, moved: str, legacy: str) -> None:
    assert other_tone_place(word) == moved
    assert tcvn3_capitals(word) == legacy
    assert betrays_tcvn3("Ánh")
    assert not betrays_tcvn3("Nguyễn")


@pytest.mark.parametrize("word", ["Nguyễn", "Lê", "Y", "H'Hen", "Sa Rây"])
def test_a_slip_of_the_hand_is_never_a_difference_of_form(word: str) -> None:
    assert all(fold(slip) != fold(word) for slip in slips(word))
