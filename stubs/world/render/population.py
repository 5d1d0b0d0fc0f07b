"""The register's records in the shape of QCVN 109:2017."""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl

from stubs.world.clock import dates, iso_local
from stubs.world.people import names
from stubs.world.people.lexicon import lexicon
from stubs.world.people.people import card_until
from stubs.world.people.places import EDITION_FORMER, EDITION_NOW, places
from stubs.world.planting.rates import Fault
from stubs.world.render.names import blank, lists_of, padded
from stubs.world.state import State
from stubs.world.table import Array, Table

_HEALTH_POST = "Trạm y tế "
_COMMITTEE = "Ủy ban nhân dân "


def citizens(state: State) -> pl.DataFrame:
    """Every register record, tombstones included, as the wire frame of `population.citizens`."""
    people = state.people
    frame = pl.DataFrame(
        {
            "Id": padded(np.arange(1, len(people) + 1), 9, "CD"),
            "SoDinhDanh": padded(people["pid"], 12),
            "SoDinhDanhCu": _former(state),
            "SoCMND": padded(people["cmnd"], 9, missing=people["cmnd"] < 0),
            "HoVaTen": blank(_name(people, np.arange(len(people))), people["fault"] == Fault.MISSING_NAME),
            "TenGoiKhac": lexicon().spell(people["alias"], "plain"),
            "GioiTinh": pl.Series(people["sex"].astype(np.int64)),
            **_traits(people),
            **_places(state),
            "QuocTich": pl.Series(["VN"]).new_from_index(0, len(people)),
            **_family(people),
            "SoHoSoCuTru": padded(people["file_no"], 9, "HS"),
            "CanCuoc": _card(people),
            "NgayChet": dates(people["died"], missing=people["died"] < 0),
            "TrangThai": pl.Series(people["status"].astype(np.int64)),
            "NgayCapNhat": iso_local(people["updated"]),
        }
    )
    return frame.with_columns(_raw=_raw(frame, people))


def _struct(**fields: pl.Series) -> pl.Series:
    return pl.DataFrame(fields).to_struct("struct")


def _name(people: Table, rows: Array) -> pl.Series:
    ho, dem, ten = (lexicon().spell(people[part][rows], "plain") for part in ("ho", "dem", "ten"))
    return _struct(Ho=ho, ChuDem=dem, Ten=ten)


def _former(state: State) -> pl.Series:
    """Former numbers as a list per person; an empty list for most."""
    former = state.former
    numbers = pl.DataFrame(
        {
            "SoDinhDanh": padded(former["pid"], 12),
            "TuNgay": dates(former["since"]),
            "DenNgay": dates(former["until"]),
        }
    )
    return lists_of(former["person"], numbers, len(state.people))


def _traits(people: Table) -> dict[str, pl.Series]:
    codes = {code: name for code, name, _ in names.ETHNICITIES}
    titles = pl.Series([codes.get(code, "") for code in range(max(codes) + 1)])
    broken, year_only = people["fault"] == Fault.IMPOSSIBLE_DATE, people["year_only"]
    year_only = year_only & ~broken
    full = dates(people["birth"], missing=year_only)
    impossible = full.str.slice(0, 4) + "-02-31"
    full = full.zip_with(pl.Series(~broken), impossible)
    return {
        "DanToc": _struct(
            MaDanToc=padded(people["ethnicity"], 2),
            TenGoi=titles.gather(pl.Series(people["ethnicity"].astype(np.int64))),
        ),
        "TonGiao": _struct(MaTonGiao=padded(people["religion"], 2)),
        "TinhTrangHonNhan": pl.Series(people["marital"].astype(np.int64)),
        "NhomMau": padded(people["blood"], 2),
        "NgayThangNamSinh": _struct(
            NgayThangNam=full, NamSinh=dates(people["birth"], "%Y", missing=~year_only)
        ),
    }


def _address(pair: Array, old: Array, detail: pl.Series) -> pl.Series:
    edition = pl.Series([EDITION_NOW, EDITION_FORMER]).gather(pl.Series(old.astype(np.int64)))
    home = pl.Series(["VN"]).new_from_index(0, len(pair))
    return _struct(
        MaDonViHanhChinh=places().code(pair, old), NgayDanhMuc=edition, ChiTiet=detail, QuocGia=home
    )


def _places(state: State) -> dict[str, pl.Series]:
    people, addresses = state.people, state.addresses
    old, origin_old = people["addr_old"], people["origin_old"]

    def street(rows: Array, edition: Array) -> pl.Series:
        return _address(addresses["pair"][rows], edition, places().details(addresses, rows))

    def office(prefix: str, pair: Array) -> pl.Series:
        return _address(pair, origin_old, prefix + places().pick_ward(pair, origin_old))

    permanent = street(people["addr"], old)
    away = people["temp_addr"] >= 0
    temporary = street(np.maximum(people["temp_addr"], 0), np.zeros(len(people), dtype=bool))
    hamlet = pl.Series(["Thôn 1", "Thôn 2", "Ấp 3", "Khu 4"]).gather(
        pl.Series(people["household"].astype(np.int64) % 4)
    )
    return {
        "NoiSinh": office(_HEALTH_POST, people["birth_pair"]),
        "NoiDangKyKhaiSinh": office(_COMMITTEE, people["birth_pair"]),
        "QueQuan": _address(people["origin_pair"], origin_old, hamlet),
        "ThuongTru": permanent,
        "TamTru": blank(temporary, ~away),
        "NoiOHienTai": temporary.zip_with(pl.Series(away), permanent),
    }


def _relative(people: Table, rows: Array) -> pl.Series:
    found = np.maximum(rows, 0)
    known = _struct(SoDinhDanh=padded(people["pid"][found], 12), HoVaTen=_name(people, found))
    return blank(known, rows < 0)


def _parent(people: Table, which: str) -> pl.Series:
    """The parent in the register, else by name alone, else null."""
    rows = people[which]
    ho, dem, ten = (lexicon().spell(people[f"{which}_{part}"], "plain") for part in ("ho", "dem", "ten"))
    nobody = pl.Series([None], dtype=pl.String).new_from_index(0, len(people))
    by_name = blank(
        _struct(SoDinhDanh=nobody, HoVaTen=_struct(Ho=ho, ChuDem=dem, Ten=ten)), people[f"{which}_ho"] < 0
    )
    return _relative(people, rows).zip_with(pl.Series(rows >= 0), by_name)


def _family(people: Table) -> dict[str, pl.Series]:
    head = people["head"]
    return {
        "Cha": _parent(people, "father"),
        "Me": _parent(people, "mother"),
        "VoChong": _relative(people, people["spouse"]),
        "ChuHo": _struct(
            QuanHe=padded(relation_to_head(people), 2),
            SoDinhDanh=padded(people["pid"][head], 12),
            HoVaTen=_name(people, head),
        ),
    }


def relation_to_head(people: Table) -> Array:
    """1 the head, 2 spouse, 3 child, 4 parent, 5 anyone else."""
    head, own = people["head"], np.arange(len(people))
    return np.select(
        [
            head == own,
            people["spouse"] == head,
            (people["father"] == head) | (people["mother"] == head),
            (people["father"][head] == own) | (people["mother"][head] == own),
        ],
        [1, 2, 3, 4],
        5,
    )


def _card(people: Table) -> pl.Series:
    until = card_until(people)
    issuer = pl.Series(["Bộ Công an", "Cục Cảnh sát quản lý hành chính về trật tự xã hội"])
    before = (people["card_at"] < 19_905).astype(
        np.int64
    )  # cards of the 2023 law, since 2024-07-01, are the ministry's
    card = _struct(
        NgayCap=dates(np.maximum(people["card_at"], 0)),
        NoiCap=issuer.gather(pl.Series(before)),
        NgayHetHan=dates(np.maximum(until, 0), missing=until < 0),
    )
    return blank(card, people["card_at"] < 0)


def _raw(frame: pl.DataFrame, people: Table) -> pl.Series:
    """Tombstones, and the broken records whose name is not of the type it should be."""
    raw = pl.Series([None], dtype=pl.String).new_from_index(0, len(people))
    gone = np.flatnonzero(people["deleted"])
    stones = [
        orjson.dumps({**row, "DaXoa": True}).decode()
        for row in frame.select("Id", "NgayCapNhat")[gone].iter_rows(named=True)
    ]
    broken = np.flatnonzero((people["fault"] == Fault.WRONG_TYPE) & ~people["deleted"])
    spoilt = [
        orjson.dumps(row | {"HoVaTen": " ".join(filter(None, row["HoVaTen"].values()))}).decode()
        for row in frame[broken].iter_rows(named=True)
    ]
    return raw.scatter(np.concatenate([gone, broken]), pl.Series(stones + spoilt, dtype=pl.String))


def register_key(rows: Array) -> pl.Series:
    """The register's key (Id) of people; null for -1."""
    return padded(rows + 1, 9, "CD", missing=rows < 0)
