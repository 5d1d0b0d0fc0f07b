"""The truth is what a slow and separate reader finds in nothing but the wire records."""

import csv
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stubs.world import Truth, World
from stubs.world.planting.dirt import HEAVY, USUAL

CODES = Path(__file__).parents[3] / "mappings" / "codes" / "admin_unit_successors.csv"
STREAMS = {"portal": "accounts", "tax": "registrations", "customs": "declarants", "banking": "accounts"}
ACTIVE = {"portal": 1, "tax": "00", "customs": "A", "banking": "ACTV"}
# Much dirt, but for what misleads whoever has nothing but the records: see `Office._somebody_else`.
LEGIBLE = replace(HEAVY, relatives_number=0, names_out_of_order=0)
TCVN3 = dict(
    zip(
        "µ¶·¸¹¨»¼½¾Æ©ÇÈÉÊË®ÌÎÏÐÑªÒÓÔÕÖ×ØÜÝÞßáâãä«åæçèé¬êëìíîïñòóô\u00adõö÷øùúûüýþ",
        "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ",
        strict=True,
    )
)


@dataclass
class Statement:
    """A wire record read into what it says."""

    name: str
    pid: str | None = None
    cmnd: str | None = None
    mst: str | None = None
    birth: str | None = None
    sex: int | None = None
    phone: str | None = None
    commune: tuple[str, bool] | None = None
    active: bool = True
    updated: datetime | None = None
    person: str | None = None
    method: str = "none"
    order: int = 0
    former: list[str] = field(default_factory=list)
    dead: bool = False


def folded(name: str) -> str:
    plain = unicodedata.normalize("NFD", name.casefold()).replace("đ", "d")
    return "".join(c for c in plain if unicodedata.category(c) != "Mn" and not c.isspace())


def untyped(name: str) -> str:
    """NFC of a tax name that may be in TCVN3."""
    capitals = {letter.upper() for letter in TCVN3.values()}
    if all(ord(c) < 128 or c in capitals for c in name):
        return name
    return "".join(TCVN3.get(c, c) for c in name)


def iso_birth(text: str | None) -> str | None:
    """Birth as `1984`, `1984-05` or `1984-05-07`."""
    if text is None or re.fullmatch(r"\d{4}(-\d\d-\d\d)?", text):
        return text
    return "-".join(part.zfill(2) for part in reversed(re.split("[/-]", text)))


def mobile(text: str | None) -> str | None:
    return re.sub(r"\D", "", text)[-9:] if text else None


def successors() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    with CODES.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["old_ward_code"]].add(row["new_ward_code"])
    return found


def citizen(row: dict[str, Any]) -> Statement:
    birth, home = row["NgayThangNamSinh"], row["ThuongTru"]
    return Statement(
        name=folded("".join(filter(None, row["HoVaTen"].values()))),
        pid=row["SoDinhDanh"],
        cmnd=row["SoCMND"],
        birth=birth["NgayThangNam"] or birth["NamSinh"],
        sex=row["GioiTinh"],
        commune=(home["MaDonViHanhChinh"], home["NgayDanhMuc"] < "2025-07-01"),
        former=[each["SoDinhDanh"] for each in row["SoDinhDanhCu"]],
        dead=row["TrangThai"] == 2,
    )


def portal(row: dict[str, Any]) -> Statement:
    home = row["DiaChi"]
    return Statement(
        name=folded(row["HoTen"]),
        pid=row["SoDinhDanh"] and row["SoDinhDanh"].replace(" ", ""),
        cmnd=row["SoCMND"],
        birth=iso_birth(row["NgaySinh"]),
        sex=1 if row["GioiTinh"].lower() == "nam" else 2,
        phone=mobile(row["SoDienThoai"]),
        commune=home and (home["MaXa"], home["NgayDanhMuc"] < "2025-07-01"),
        active=row["TrangThai"] == 1,
    )


def tax(row: dict[str, Any]) -> Statement:
    home, stated = row["diaChi"], datetime.strptime(row["ngayCapNhat"], "%d/%m/%Y %H:%M:%S")  # noqa: DTZ007
    return Statement(
        name=folded(untyped(row["hoTen"])),
        pid=row["mst"] if len(row["mst"]) == 12 else row["soDinhDanh"],
        cmnd=row["soCMND"],
        mst=row["mst"][:10] if len(row["mst"]) != 12 else None,
        birth=iso_birth(row["ngaySinh"]),
        sex=1 if row["gioiTinh"] == "1" else 2,
        phone=mobile(row["dienThoai"]),
        commune=home and (home["maXa"], stated < datetime(2025, 7, 1)),  # noqa: DTZ001
        active=row["trangThai"] == "00",
    )


def customs(row: dict[str, Any]) -> Statement:
    return Statement(
        name=folded(row["TEN"]),
        pid=row["SO_DINH_DANH"] or None,
        cmnd=row["SO_CMND"] or None,
        mst=row["MST"] or None,
        phone=mobile(row["DIEN_THOAI"]),
        active=row["TRANG_THAI"] == "A",
    )


def banking(row: dict[str, Any]) -> Statement:
    owner = row["Ownr"]
    numbers = {each["SchmeNm"]["Cd"]: each["Id"] for each in owner["Id"]["PrvtId"]["Othr"]}
    return Statement(
        name=folded(owner["Nm"]),
        pid=numbers.get("NIDN"),
        cmnd=numbers.get("CMND"),
        mst=numbers.get("TXID"),
        birth=owner["Id"]["PrvtId"]["DtAndPlcOfBirth"]["BirthDt"],
        phone=mobile(owner["CtctDtls"]["PhneNb"]),
        active=row["Sts"] == "ACTV",
    )


READERS = {"portal": portal, "banking": banking, "tax": tax, "customs": customs}  # phone ties: earlier first


def read(world: World, system: str, stream: str, reader: Any) -> dict[str, Statement]:
    broken = set(world.truth().broken.filter(source=system, stream=stream)["source_key"])
    statements = {}
    for row in world.frame(system, stream).filter(~pl.col("_deleted")).to_dicts():
        if row["_key"] not in broken and row.get("LOAI") != "2":
            statements[row["_key"]] = reader(row)
            statements[row["_key"]].updated = row["_updated_at"]
    return statements


class Office:
    """Links and compares as the rules say, one record after the other."""

    def __init__(self, world: World) -> None:
        self.register = read(world, "population", "citizens", citizen)
        self.records = {source: read(world, source, STREAMS[source], READERS[source]) for source in READERS}
        self.successors, self.now = successors(), world.now
        self.found: set[tuple[str, str, str]] = set()
        self._link()
        self._compare()

    def _link(self) -> None:
        current = {person.pid: key for key, person in self.register.items()}
        former = {pid: key for key, person in self.register.items() for pid in person.former}
        cards = {person.cmnd: key for key, person in self.register.items() if person.cmnd}
        codes: dict[str, str] = {}
        for source in ("tax", "tax", "portal", "customs", "banking"):  # tax again: a code of its own
            for key, record in self.records[source].items():
                for method, known, value in (
                    ("personal_id", current, record.pid),
                    ("former_personal_id", former, record.pid),
                    ("national_id_9", cards, record.cmnd),
                    ("tax_code", codes, record.mst),
                ):
                    if record.person is None and value in known:
                        record.person, record.method = known[value], method
                if record.person and self._somebody_else(record, self.register[record.person]):
                    record.person, record.method = None, "wrong_person"
                    self.found.add((source, key, "personal_id"))
                if source == "tax" and record.person and len(key) != 12:
                    codes[key[:10]] = record.person

    @staticmethod
    def _somebody_else(record: Statement, person: Statement) -> bool:
        """Customs states no birth: there the name must do."""
        born = record.birth and person.birth and record.birth[:4] != person.birth[:4]
        return far_apart(record.name, person.name) and bool(born or record.birth is None)

    def _compare(self) -> None:
        phones: dict[str, list[tuple[float, Any, int, str, str, str]]] = defaultdict(list)
        for order, (source, records) in enumerate(self.records.items()):
            for key, record in records.items():
                if record.person:
                    self._compare_one(source, key, record, self.register[record.person])
                    if record.phone:
                        standing = (weight(source, record, self.now), record.updated, -order)
                        phones[record.person].append((*standing, record.phone, source, key))
        for source, attribute in (("portal", "personal_id"), ("tax", "tax_code"), ("customs", "personal_id")):
            self._compare_keys(source, attribute)
        for statements in phones.values():
            right = max(statements)[3]
            self.found |= {(source, key, "phone") for *_, phone, source, key in statements if phone != right}

    def _compare_keys(self, source: str, attribute: str) -> None:
        """One person, one record: of several the lowest key is kept; the branch of a tax code is none."""
        lowest: dict[str, str] = {}
        for key, record in sorted(self.records[source].items()):
            if record.person and "-" not in key and lowest.setdefault(record.person, key) != key:
                self.found.add((source, key, attribute))

    def _compare_one(self, source: str, key: str, record: Statement, person: Statement) -> None:
        shorter = min(len(record.birth or ""), len(person.birth or ""))
        partial = record.birth and len(record.birth) < len(person.birth or "")
        differs = {
            "personal_id": record.pid != person.pid,
            "full_name": record.name != person.name,
            "birth_date": partial
            or (record.birth and record.birth[:shorter] != (person.birth or "")[:shorter]),
            "sex": record.sex and record.sex != person.sex,
            "permanent_address": record.commune and not self._same_place(record.commune, person.commune),
            "life_status": person.dead and record.active,
        }
        self.found |= {(source, key, attribute) for attribute, differ in differs.items() if differ}

    def _same_place(self, left: tuple[str, bool], right: tuple[str, bool] | None) -> bool:
        assert right
        places = [self.successors[code] if old else {code} for code, old in (left, right)]
        return not places[0].isdisjoint(places[1])


def weight(source: str, record: Statement, now: datetime) -> float:
    """What a phone weighs today: trust in the source, halved every year, and once where it is in doubt."""
    assert record.updated
    pid, doubtful = record.pid, record.method in {"national_id_9", "tax_code"}
    if pid and record.birth:
        doubtful |= int(pid[4:6]) != int(record.birth[2:4]) or 19 + int(pid[3]) // 2 != int(record.birth[:2])
    if pid and record.sex:
        doubtful |= int(pid[3]) % 2 != record.sex - 1
    age = (now - record.updated) / timedelta(days=365.25)
    trust = {"portal": 0.9, "banking": 0.8, "tax": 0.6, "customs": 0.5}[source]
    return float(trust * 0.5**age * (0.5 if doubtful else 1))


def far_apart(left: str, right: str) -> bool:
    """Five or more letters of difference."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        above, row = row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1] >= 5


@pytest.fixture(
    scope="module",
    params=[(1, 0, USUAL), (2, 1, USUAL), (3, 12, USUAL), (4, 2, LEGIBLE)],
    ids=["first day", "a day on", "twelve days on", "two days on in much dirt"],
)
def office_and_truth(request: pytest.FixtureRequest) -> tuple[Office, Truth]:
    seed, days, dirt = request.param
    world = World.generate(2000, seed, dirt=dirt)
    world.advance(days)
    return Office(world), world.truth()


def test_discrepancies_are_what_the_wire_records_show(office_and_truth: tuple[Office, Truth]) -> None:
    office, truth = office_and_truth
    assert office.found == set(truth.discrepancies.select("source", "source_key", "attribute").iter_rows())


def test_links_are_what_the_identifiers_say(office_and_truth: tuple[Office, Truth]) -> None:
    office, truth = office_and_truth
    people = truth.links.filter(pl.col("register_id").is_not_null())
    said = {
        (source, key): method
        for source, key, method in people.select("source", "source_key", "method").iter_rows()
    }
    read_off = {
        (source, key): each.method
        for source, records in office.records.items()
        for key, each in records.items()
    }
    assert said == read_off


def test_linked_records_are_about_the_person_they_lead_to(office_and_truth: tuple[Office, Truth]) -> None:
    office, truth = office_and_truth
    about = {
        (source, key): person
        for source, key, person in truth.links.select("source", "source_key", "register_id").iter_rows()
    }
    led = {
        (source, key): each.person
        for source, records in office.records.items()
        for key, each in records.items()
        if each.person
    }
    assert led == {record: about[record] for record in led}


def test_every_kind_of_discrepancy_and_link_occurs(office_and_truth: tuple[Office, Truth]) -> None:
    _, truth = office_and_truth
    kinds = {
        (attribute, kind)
        for attribute, kind in truth.discrepancies.select("attribute", "kind").unique().iter_rows()
    }
    assert kinds >= {
        ("full_name", "conflict"),
        ("birth_date", "conflict"),
        ("birth_date", "form"),
        ("birth_date", "invalid"),
        ("sex", "conflict"),
        ("personal_id", "missing"),
        ("personal_id", "duplicate"),
        ("tax_code", "duplicate"),
        ("personal_id", "wrong_person"),
        ("life_status", "deceased"),
        ("permanent_address", "stale"),
        ("phone", "stale"),
    }
    assert set(truth.links["method"]) == {
        "personal_id",
        "former_personal_id",
        "national_id_9",
        "tax_code",
        "wrong_person",
        "none",
    }


def test_a_source_that_corrects_itself_leaves_nothing_to_find_and_the_others_what_they_had() -> None:
    world = World.generate(1000, 6)
    wrong = world.truth().discrepancies
    began, elsewhere = world.now, {source for source, *_ in Office(world).found} - {"tax"}
    assert world.correct("tax") == wrong.filter(source="tax")["source_key"].n_unique()
    assert {source for source, *_ in Office(world).found} == elsewhere == {"portal", "customs", "banking"}
    assert world.correct() > 0
    assert (world.truth().discrepancies.height, Office(world).found) == (0, set())
    assert world.now - began == timedelta(days=2)


def test_every_system_has_broken_records_at_first() -> None:
    broken = World.generate(2000, 1).truth().broken
    counts = broken.group_by("source", "stream").len()
    assert len(counts) == 6
    assert counts["len"].min() >= 2
    assert set(broken["fault"]) == {"wrong_type", "impossible_date", "missing_name", "check_digit"}
