"""The 25 services for citizens of the simulated world: what is filled and asked is what the world knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_document
from oncehub.config.entities import unqualified
from oncehub.config.procedures import Item, Procedure
from oncehub.intake.sync import sync
from oncehub.reconcile.run import reconcile
from oncehub.settings import Settings
from oncehub.share.agreements.permissions import today
from oncehub.store.connection import Connection
from stubs.client import Systems
from stubs.world.founding import found
from stubs.world.people.people import ALIVE, DEAD
from stubs.world.render.population import register_key
from stubs.world.state import State
from stubs.world.table import Table
from stubs.world.truth.discrepancies import believed_phones, truth_of
from stubs.world.truth.linking import find_links, sound
from stubs.world.world import World

PEOPLE, SEED = 800, 1
AGREEMENTS = ("portal-residence", "portal-identity", "portal-essential")
TIES = {"father": "father", "mother": "mother", "spouse": "spouse", "household_head": "head"}
SEXES, MARITAL = {1: "male", 2: "female"}, {1: "single", 2: "married", 3: "divorced_or_widowed"}
BLOOD = {"01": "A", "02": "B", "03": "AB", "04": "O"}
TO_HEAD = {"01": "head", "02": "spouse", "03": "child", "04": "parent", "05": "other"}


@dataclass(frozen=True)
class Knowledge:
    """What the world knows of its people, without the hub: by row of its register."""

    state: State
    world: World

    @cached_property
    def register(self) -> dict[str, dict[str, Any]]:
        frame = self.world.frame("population", "citizens")
        return {row["Id"]: row for row in frame.iter_rows(named=True)}

    @cached_property
    def phones(self) -> dict[int, tuple[str, datetime]]:
        return {row: (f"+84{number}", since) for row, (number, since) in _weightiest(self.state).items()}

    @cached_property
    def mails(self) -> dict[int, datetime]:
        """When the weightiest of the statements of a mail address was made."""
        records = {
            source: Table(table.columns | {"phone": table["mail"].astype(np.int64) + 1})
            for source, table in self.state.records.items()
        }
        return {row: since for row, (_, since) in _weightiest(replace(self.state, records=records)).items()}

    @cached_property
    def contested(self) -> set[tuple[str, str]]:
        """Register's key and attribute where another source contradicts what is believed."""
        planted = truth_of(self.state).discrepancies.filter(kind="conflict")
        return set(planted.select("register_id", "attribute").iter_rows())

    @cached_property
    def taxed(self) -> set[int]:
        return self._linked("tax")

    @cached_property
    def with_passport(self) -> set[int]:
        accounts = self.world.frame("banking", "accounts")
        keys = {
            row["_key"]
            for row in accounts.iter_rows(named=True)
            if any(other["SchmeNm"]["Cd"] == "CCPT" for other in row["Ownr"]["Id"]["PrvtId"]["Othr"])
        }
        return self._linked("banking", keys)

    def _linked(self, source: str, keys: set[str] | None = None) -> set[int]:
        links = truth_of(self.state).links.filter(source=source)
        rows = {key: row for row, key in enumerate(register_key(np.arange(len(self.state.people))))}
        return {
            rows[person]
            for key, person in links.select("source_key", "register_id").iter_rows()
            if person is not None and (keys is None or key in keys)
        }

    def held(self, row: int) -> bool:
        return bool(sound(self.state.people)[row])

    def value(self, row: int, attribute: str) -> Any:
        """What is to be believed of an attribute; of an address its commune, of a relative whether named."""
        name = unqualified(attribute)
        if name == "phone":
            return self.phones[row][0] if row in self.phones else None
        if name == "email":
            return row in self.mails or None
        if name in ("tax_code", "passport"):
            return row in (self.taxed if name == "tax_code" else self.with_passport) or None
        return _READ[name](self.register[self.key(row)])

    def key(self, row: int) -> str:
        return str(register_key(np.array([row]))[0])

    def since(self, row: int, attribute: str) -> datetime | None:
        if attribute == "person.email":
            return self.mails.get(row)
        return self.phones[row][1] if attribute == "person.phone" and row in self.phones else None

    def household(self, row: int) -> list[int]:
        """The others who live in the household, rows of the register."""
        people = self.state.people
        same = (people["head"] == people["head"][row]) & (people["status"] == ALIVE) & sound(people)
        return [int(other) for other in np.flatnonzero(same) if other != row]

    def papers(self, row: int, item: Item) -> list[str]:
        """Numbers of the dossiers of which a paper spares the one that the item asks for, latest first."""
        numbers = {self.register[self.key(row)]["SoDinhDanh"]}
        found = [
            (dossier["NgayKetThucXuLy"] or dossier["NgayTra"], dossier["MaHoSo"])
            for dossier in self.world.frame("portal", "dossiers").iter_rows(named=True)
            if dossier["SoGiayToChuHoSo"] in numbers
            and dossier["TrangThaiHoSo"] in ("9", "10")
            and not dossier["DaXoa"]
            and dossier["MaHoSo"] not in self._broken
            and any(_spares(item, dossier, paper) for paper in dossier["TaiLieuNop"])
        ]
        youngest = datetime.now(UTC) - item.max_age if item.max_age else datetime.min.replace(tzinfo=UTC)
        return [number for at, number in sorted(found, reverse=True) if datetime.fromisoformat(at) > youngest]

    @cached_property
    def _broken(self) -> set[str]:
        return set(truth_of(self.state).broken.filter(stream="dossiers")["source_key"])


def _weightiest(state: State) -> dict[int, tuple[int, datetime]]:
    frame = believed_phones(state, find_links(state)).select("person", "right", "since")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return {row: (value, epoch + timedelta(microseconds=since)) for row, value, since in frame.iter_rows()}


def _spares(item: Item, dossier: Mapping[str, Any], paper: Mapping[str, Any]) -> bool:
    kept = paper["DuocTaiSuDung"] == 1 and (paper["DuocSoHoa"] == 1 or paper["DuocLayTuKhoDMQG"] == 1)
    return (
        kept
        and not paper["IsDeleted"]
        and any(
            paper["MaKetQuaThayThe"] == wanted.result
            if wanted.result
            else paper["MaThanhPhanHoSo"] == wanted.component and dossier["MaTTHC"] in wanted.procedures
            for wanted in item.replaced_by
        )
    )


def _name(words: Mapping[str, Any]) -> str:
    return " ".join(words[part] for part in ("Ho", "ChuDem", "Ten") if words[part])


def _address(field: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: row[field] and row[field]["MaDonViHanhChinh"]


def _relative(field: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: row[field] and _name(row[field]["HoVaTen"])


_READ: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "personal_id": lambda row: row["SoDinhDanh"],
    "national_id_9": lambda row: row["SoCMND"],
    "full_name": lambda row: _name(row["HoVaTen"]),
    "other_name": lambda row: row["TenGoiKhac"],
    "birth_date": lambda row: row["NgayThangNamSinh"]["NgayThangNam"] or row["NgayThangNamSinh"]["NamSinh"],
    "sex": lambda row: SEXES[row["GioiTinh"]],
    "birth_place": _address("NoiSinh"),
    "birth_registration_place": _address("NoiDangKyKhaiSinh"),
    "hometown": _address("QueQuan"),
    "ethnicity": lambda row: row["DanToc"]["MaDanToc"],
    "religion": lambda row: row["TonGiao"]["MaTonGiao"],
    "nationality": lambda row: row["QuocTich"],
    "blood_type": lambda row: BLOOD.get(row["NhomMau"]),
    "id_card": lambda row: row["CanCuoc"] and row["CanCuoc"]["NgayCap"],
    "father": _relative("Cha"),
    "mother": _relative("Me"),
    "spouse": _relative("VoChong"),
    "permanent_address": _address("ThuongTru"),
    "temporary_address": _address("TamTru"),
    "current_address": _address("NoiOHienTai"),
    "residence_file": lambda row: row["SoHoSoCuTru"],
    "marital_status": lambda row: MARITAL.get(row["TinhTrangHonNhan"]),
    "relation_to_head": lambda row: TO_HEAD[row["ChuHo"]["QuanHe"]],
    "household_head": _relative("ChuHo"),
}


def expected(known: Knowledge, row: int, item: Item) -> Any:
    """What the form should hold: `("filled", value)`, `("paper", dossier)` or `("asked", why)`."""
    if item.attributes:
        return expected_household(known, row, item)
    if item.attribute is None:
        papers = known.papers(row, item)
        return ("paper", papers[0]) if papers else ("asked", "citizen_provides")
    if item.of:
        row = int(known.state.people[TIES[item.of]][row])
        if row < 0 or not known.held(row):
            return "asked", "relative_unknown"
        if known.state.people["status"][row] != ALIVE and not item.even_if_deceased:
            return "asked", "relative_not_living"
    value = known.value(row, item.attribute)
    why = "not_known" if value is None else _doubt(known, row, item, item.attribute)
    return ("asked", why) if why else ("filled", value)


def expected_household(known: Knowledge, row: int, item: Item) -> Any:
    if not known.held(int(known.state.people["head"][row])):
        return "asked", "relative_unknown"
    listed = [[known.value(other, name) for name in item.attributes] for other in known.household(row)]
    return "filled", [tuple(each) for each in sorted(listed)]


def _doubt(known: Knowledge, row: int, item: Item, attribute: str) -> str | None:
    """Why a value that no authority states is asked for all the same."""
    since = known.since(row, attribute)
    if since is None:
        return None
    if (known.key(row), unqualified(attribute)) in known.contested:
        return "conflicting"
    return "too_old" if item.max_age and datetime.now(UTC) - since > item.max_age else None


def answered(answer: Mapping[str, Any], name: str, item: Item) -> Any:
    """What the form holds, in the same words."""
    if name in answer["missing_items"]:
        return "asked", answer["missing_items"][name]["reason"]
    if name in answer["papers"]:
        return "paper", answer["papers"][name]["dossier"]
    value, attribute = answer["items"][name]["value"], unqualified(item.attribute or "")
    if isinstance(value, list):
        return "filled", [tuple(each.values()) for each in value]
    if isinstance(value, dict):
        value = next(value[part] for part in ("unit", "issued_on", "full_name") if part in value)
    return "filled", attribute in ("email", "tax_code", "passport") or value


@pytest.fixture
def known() -> Knowledge:
    return Knowledge(found(PEOPLE, SEED), World.generate(PEOPLE, SEED))


@pytest.fixture
def reconciled(tmp_path: Any, settings: Settings, database: Connection) -> Iterator[None]:
    """What the systems hold has been read and reconciled."""
    with Systems.start(tmp_path / "systems", PEOPLE, SEED, calm=True, timeout=120) as systems:
        now = datetime.fromisoformat(systems.health()["now"]) + timedelta(hours=1)
        for name, connector in load_connectors(settings).items():
            connection = connection_from_document(systems.connections[name], name)
            sync(settings, connector, connection, database=database, clock=lambda: now)
    reconcile(settings, database)
    return


def citizens(known: Knowledge) -> dict[str, int]:
    """Living people of the register, one of each kind that forms differ for."""
    people = known.state.people
    father, spouse = people["father"], people["spouse"]
    status, alive = people["status"], np.flatnonzero(sound(people) & (people["status"] == ALIVE))
    wanted: dict[str, Callable[[int], Any]] = {
        "married": lambda row: spouse[row] >= 0 and row in known.phones,
        "single": lambda row: spouse[row] < 0,
        "whose father is dead": lambda row: father[row] >= 0 and status[father[row]] == DEAD,
        "whose phone is contested": lambda row: (known.key(row), "phone") in known.contested,
        "away from home": lambda row: people["temp_addr"][row] >= 0,
        "with a passport": lambda row: row in known.with_passport,
        "head of the household": lambda row: people["head"][row] == row,
        "child": lambda row: father[row] >= 0 and people["head"][row] == father[row],
    }
    return {kind: next(int(row) for row in alive if fits(row)) for kind, fits in wanted.items()}


def test_every_service_answers_with_what_is_known_and_asks_the_rest(
    known: Knowledge, reconciled: None, admit: Callable[..., Any]
) -> None:
    clients = {name: admit(name) for name in AGREEMENTS}
    hub = clients[AGREEMENTS[0]].http.app.state.hub
    split: dict[str, dict[str, int]] = {}
    households: list[Any] = []
    for kind, row in (citizens(known) | with_papers(known, hub.procedures)).items():
        who = {"person.personal_id": known.register[known.key(row)]["SoDinhDanh"]}
        for name, client in clients.items():
            for code in hub.agreements[name].procedures:
                fields = hub.procedures[code].items_on(today())
                answer = client.prefill(code, who).json()
                held = {item: answered(answer, item, fields[item]) for item in fields}
                assert held == {item: expected(known, row, fields[item]) for item in fields}, (kind, code)
                households += [held[name][1] for name, field in fields.items() if field.attributes]
                for part, why in held.values():
                    counts = split.setdefault(code, {})
                    counts[part] = counts.get(part, 0) + 1
                    counts[str(why)] = counts.get(str(why), 0) + 1
    assert len(split) == 25
    assert all(counts["filled"] > 0 for counts in split.values())
    assert all("citizen_provides" in counts for code, counts in split.items() if code != "dvctt-01")
    whys = {why for counts in split.values() for why in counts}
    assert {"not_known", "conflicting", "relative_unknown", "paper"} <= whys
    assert any(len(members) > 2 for members in households if isinstance(members, list))


def with_papers(known: Knowledge, procedures: Mapping[str, Procedure]) -> dict[str, int]:
    """The first living citizen of whom an earlier dossier holds a paper that each kind of item names."""
    owners = sorted(set(known.state.dossiers["person"].tolist()))
    living = [row for row in owners if known.held(row) and known.state.people["status"][row] == ALIVE]
    wanted = {
        "with a proof of dwelling": procedures["1.004222"].items["dwelling_proof"],
        "with a marriage certificate": procedures["1.001193"].items["marriage_certificate"],
    }
    return {kind: next(row for row in living if known.papers(row, item)) for kind, item in wanted.items()}
