from __future__ import annotations

import datetime as clock
from datetime import date

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from oncehub.config.entities import load_entities
from oncehub.connect.formats import Unreadable
from oncehub.connect.formats.json import parse_json

from .configuration import ROOT, STREAMS, load, read_samples

ENTITIES = load_entities(ROOT / "schemas")
NORMALIZERS = {(source, stream): load(ROOT, source, stream) for source, stream in STREAMS}
STORED_AS = {
    "text": pl.String,
    "date": pl.Date,
    "timestamp": pl.Datetime("us", "UTC"),
    "boolean": pl.Boolean,
}


def normalize(source, stream, records=None):
    return NORMALIZERS[source, stream].normalize(read_samples(source, stream) if records is None else records)


def rows(frame, *columns):
    return frame.select(columns).rows()


def by_key(frame):
    return {row["source_key"]: row for row in frame.to_dicts()}


def tax_record(**changes):
    return {**read_samples("tax", "registrations")[0], **changes}


def utc(text):
    return clock.datetime.fromisoformat(text).astimezone(clock.UTC)


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_all_samples_normalise(source, stream):
    batch = normalize(source, stream)
    assert batch.rejected == []
    assert batch.read == batch.accepted_keys.height + batch.deleted.height


@pytest.mark.parametrize("records", [[], None])
@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_frames_have_all_attributes_in_the_types_they_are_stored_in(source, stream, records):
    batch = normalize(source, stream, records)
    assert batch.frames
    for name, frame in batch.frames.items():
        attributes = ENTITIES[name].attributes
        assert frame.columns == ["source_key", "stated_at", *attributes]
        assert frame.schema["stated_at"] == pl.Datetime("us", "UTC")
        for attribute in attributes.values():
            if attribute.members:
                expected = pl.Struct(dict.fromkeys(attribute.members, pl.String))
            else:
                expected = STORED_AS[attribute.type]
            assert frame.schema[attribute.name] == expected
    for keys in (batch.accepted_keys, batch.deleted):
        assert keys.schema == {"source_key": pl.String, "stated_at": pl.Datetime("us", "UTC")}


def test_a_citizen_becomes_a_person():
    person = by_key(normalize("population", "citizens").frames["person"])["CD000000001"]
    assert person["full_name"] == "Nguyễn Thị Mẫu"
    assert person["birth_date"] == "1984-05-07"
    assert person["sex"] == "female"
    assert person["blood_type"] == "O"
    assert person["marital_status"] == "married"
    assert person["relation_to_head"] == "head"
    assert person["life_status"] == "alive"
    assert person["stated_at"] == utc("2026-05-01T08:12:33.123456+07:00")
    assert person["permanent_address"] == {"unit": "00001", "edition": "2024-12-01", "detail": "2 Phố Cũ"}
    assert person["spouse"] == {"personal_id": "001083000002", "full_name": "Trần Văn Thử"}
    assert person["father"] == {"personal_id": None, "full_name": "Nguyễn Gốc"}
    assert person["id_card"] == {
        "issued_on": "2021-06-01",
        "issued_by": "Bộ Công an",
        "expires_on": "2044-05-07",
    }
    assert person["mother"] is None
    assert person["temporary_address"] is None
    assert person["phone"] is None


def test_unknown_sex_and_year_only_birth_and_death_are_kept_as_they_are_known():
    people = by_key(normalize("population", "citizens").frames["person"])
    assert people["CD000000005"]["sex"] is None
    assert people["CD000000003"]["birth_date"] == "1950"
    assert people["CD000000003"]["full_name"] == "H'Mẫu Niê"
    assert (people["CD000000004"]["life_status"], people["CD000000004"]["death_date"]) == (
        "deceased",
        "2024-12-31",
    )


def test_former_numbers_are_records_of_their_own():
    former = normalize("population", "citizens").frames["former_identifier"]
    columns = ("source_key", "personal_id", "valid_from", "valid_until")
    assert rows(former, *columns) == [("CD000000002", "001083000009", date(2016, 1, 1), date(2024, 8, 15))]


def test_a_tombstone_is_a_deletion_without_a_record():
    batch = normalize("population", "citizens")
    assert rows(batch.deleted, "source_key", "stated_at") == [
        ("CD000000006", utc("2026-07-02T09:00:00+07:00"))
    ]
    assert "CD000000006" not in by_key(batch.frames["person"])
    assert "CD000000006" not in set(batch.accepted_keys["source_key"])
    assert batch.high_mark == utc("2026-07-02T09:00:00+07:00")


def test_what_people_type_at_the_portal_is_read():
    people = by_key(normalize("portal", "accounts").frames["person"])
    first = people["TK00000001"]
    assert first["full_name"] == "nguyễn thị MẪU"
    assert first["personal_id"] == "001184000001"
    assert first["email"] == "mau.thu@example.vn"
    assert first["permanent_address"] == {"unit": "00004", "edition": "2025-07-01", "detail": "1 Phố Mẫu"}
    assert people["TK00000002"]["full_name"] == "Trần Văn Thử"
    assert people["TK00000004"]["full_name"] == "Đỗ Hoà"
    assert [people[f"TK0000000{i}"]["phone"] for i in range(1, 6)] == [
        "+84912000001",
        "+84912000002",
        "+84912000003",
        "+84912000004",
        None,
    ]
    assert [people[f"TK0000000{i}"]["birth_date"] for i in range(1, 5)] == [
        "1984-05-07",
        "1983-12-31",
        "1950",
        "1940-01-01",
    ]
    assert [people[f"TK0000000{i}"]["life_status"] for i in (1, 4, 5)] == ["alive", "deceased", None]
    assert people["TK00000003"]["permanent_address"] is None


def test_a_flagged_record_is_a_deletion():
    assert rows(normalize("portal", "accounts").deleted, "source_key") == [("TK00000006",)]
    assert rows(normalize("banking", "accounts").deleted, "source_key") == [("9704000000000005",)]


def test_a_dossier_has_its_papers_without_the_removed_ones():
    batch = normalize("portal", "dossiers")
    dossier = by_key(batch.frames["dossier"])["H26.12-260601-0000002"]
    assert (dossier["status"], dossier["channel"], dossier["digitised"]) == ("returned", "in_person", False)
    assert dossier["returned_at"] == utc("2026-06-08T09:00:00+07:00")
    papers = batch.frames["document"].filter(pl.col("source_key") == "000.00.19.H26-260601-0001")
    assert rows(papers, "file_id", "digitised", "reusable", "from_repository", "replaced_by") == [
        ("TDK000000001", True, False, False, None),
        ("TDK000000002", True, True, True, "KQ.G01.000001"),
    ]


def test_a_paper_stated_twice_in_a_dossier_counts_as_stated_last():
    papers = normalize("portal", "dossiers").frames["document"].filter(pl.col("file_id") == "TDK000000005")
    assert rows(papers, "reusable") == [(True,)]


def test_a_taxpayer_becomes_a_person_and_a_registration():
    batch = normalize("tax", "registrations")
    people = by_key(batch.frames["person"])
    twelve = people["001083000002"]
    assert (twelve["personal_id"], twelve["tax_code"], twelve["birth_date"]) == ("001083000002", None, "1983")
    assert twelve["permanent_address"] is None
    branch = next(row for row in people.values() if row["source_key"].endswith("-001"))
    assert branch["full_name"] == "NGUYỄN THỊ ÁNH"
    assert branch["birth_date"] == "1984-05"
    assert branch["tax_code"] == branch["source_key"]
    assert branch["permanent_address"] == {"unit": "00001", "edition": "2024-12-01", "detail": "2 Phố Cũ"}
    assert people["8000000011"]["permanent_address"]["edition"] == "2025-07-01"
    registration = by_key(batch.frames["tax_registration"])["001083000002"]
    assert (registration["tax_code"], registration["registered_on"]) == ("001083000002", date(2015, 2, 1))


def test_a_business_declares_to_customs_but_is_no_person():
    batch = normalize("customs", "declarants")
    assert by_key(batch.frames["customs_registration"])["HQ0000004"]["kind"] == "business"
    assert "HQ0000004" not in by_key(batch.frames["person"])
    assert "HQ0000004" in set(batch.accepted_keys["source_key"])


def test_empty_and_blank_cells_are_no_values():
    batch = normalize("customs", "declarants")
    registrations = by_key(batch.frames["customs_registration"])
    assert registrations["HQ0000004"]["address"] is None
    assert registrations["HQ0000005"]["registered_on"] is None
    assert by_key(batch.frames["person"])["HQ0000001"]["tax_code"] is None


def test_an_account_owner_is_known_by_the_number_of_the_right_scheme():
    people = by_key(normalize("banking", "accounts").frames["person"])
    numbers = {
        key: (row["personal_id"], row["national_id_9"], row["tax_code"]) for key, row in people.items()
    }
    assert numbers["9704000000000001"] == ("001184000001", None, "8000000011")
    assert numbers["9704000000000002"] == (None, "000000002", None)
    assert numbers["9704000000000003"] == (None, None, None)
    assert {row["passport"] for row in people.values()} == {None, "C0000002"}
    assert [row["life_status"] for row in people.values()] == ["alive", None, "deceased", "alive"]


@pytest.mark.parametrize(
    ("change", "stage", "path", "reason"),
    [
        ({"hoTen": 5}, "contract", "hoTen", "breaks 'type' of the contract"),
        ({"hoTen": "  "}, "canonical", "person.full_name", "required attribute is missing"),
        (
            {"ngaySinh": "31/02/1990"},
            "mapping",
            "person.birth_date",
            "transform partial_date could not read field ngaySinh",
        ),
        ({"gioiTinh": "7"}, "mapping", "person.sex", "code list sex_1_0 could not read field gioiTinh"),
        ({"mst": "0100233489"}, "mapping", "person.tax_code", "transform tax_code could not read field mst"),
        (
            {"dienThoai": "113"},
            "mapping",
            "person.phone",
            "transform phone_vn could not read field dienThoai",
        ),
        (
            {"ngayCapNhat": "31/02/2026 00:00:00"},
            "mapping",
            "ngayCapNhat",
            "the time of statement cannot be read",
        ),
        ({"hoTen": "A\0B"}, "canonical", "person.full_name", "holds U+0000"),
        (
            {"ngayCap": "31/02/2015"},
            "mapping",
            "tax_registration.registered_on",
            "transform date could not read field ngayCap",
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_rejected_once_and_in_no_frame(change, stage, path, reason):
    good, bad = tax_record(mst="0100233488"), tax_record(**change)
    batch = normalize("tax", "registrations", [bad, good])
    [rejected] = batch.rejected
    assert (rejected.stage, rejected.path, rejected.reason) == (stage, path, reason)
    assert rejected.source_key == bad["mst"]
    assert orjson.loads(rejected.payload) == bad
    assert all(rows(frame, "source_key") == [("0100233488",)] for frame in batch.frames.values())
    assert rows(batch.accepted_keys, "source_key") == [("0100233488",)]


def test_a_record_with_several_faults_is_rejected_once():
    batch = normalize(
        "tax", "registrations", [tax_record(ngaySinh="31/02/1990", gioiTinh="7", ngayCap="31/02/2015")]
    )
    assert len(batch.rejected) == 1


def test_an_unreadable_list_item_rejects_the_whole_record():
    record = read_samples("population", "citizens")[1]
    record = {**record, "SoDinhDanhCu": [{"SoDinhDanh": "999999999999", "TuNgay": None, "DenNgay": None}]}
    batch = normalize("population", "citizens", [record])
    assert [rejected.path for rejected in batch.rejected] == ["former_identifier.personal_id"]
    assert all(frame.is_empty() for frame in batch.frames.values())


@pytest.mark.parametrize("huge", [2**63, 2**64 - 1, 1e30, -1, 100])
def test_a_number_that_no_code_can_be_breaks_the_contract(huge):
    record = {**read_samples("portal", "accounts")[0], "TrangThai": huge}
    assert [(r.stage, r.path) for r in normalize("portal", "accounts", [record]).rejected] == [
        ("contract", "TrangThai")
    ]


@pytest.mark.parametrize("year", ["0000", "0001", "1799", "2200", "9999"])
def test_a_time_of_statement_beyond_reason_is_not_read(year):
    record = {**read_samples("portal", "accounts")[0], "NgayCapNhat": f"{year}-01-01T00:00:00Z"}
    batch = normalize("portal", "accounts", [record, read_samples("portal", "accounts")[1]])
    assert [(r.stage, r.path) for r in batch.rejected] == [("mapping", "NgayCapNhat")]
    assert batch.high_mark == utc("2026-05-02T08:12:33+07:00")


@pytest.mark.parametrize("odd", [None, 5, "text", [], [1], True])
def test_what_is_no_object_is_rejected_without_a_key(odd):
    batch = normalize("tax", "registrations", [odd, tax_record()])
    assert [(r.source_key, r.stage) for r in batch.rejected] == [(None, "contract")]
    assert batch.accepted_keys.height == 1


def test_a_tombstone_that_names_no_one_is_rejected():
    batch = normalize("population", "citizens", [{"DaXoa": True, "NgayCapNhat": "2026-07-02T09:00:00+07:00"}])
    assert [(r.source_key, r.stage, r.path) for r in batch.rejected] == [(None, "contract", "Id")]
    assert batch.deleted.is_empty()


def test_of_records_with_one_key_the_latest_statement_counts():
    old, new = (
        tax_record(ngayCapNhat="01/05/2026 08:00:00"),
        tax_record(ngayCapNhat="01/05/2026 09:00:00", dienThoai="0912000009"),
    )
    for records in ([old, new], [new, old]):
        batch = normalize("tax", "registrations", records)
        assert rows(batch.frames["person"], "phone") == [("+84912000009",)]
        assert batch.accepted_keys.height == 1


def test_of_equally_old_statements_the_later_in_the_batch_counts():
    first, last = tax_record(), tax_record(dienThoai="0912000009")
    batch = normalize("tax", "registrations", [first, last])
    assert rows(batch.frames["person"], "phone") == [("+84912000009",)]


def test_of_a_statement_and_a_deletion_equally_old_the_deletion_counts_in_any_order():
    living, gone = tax_record(), tax_record(trangThai="03")
    for records in ([living, gone], [gone, living]):
        batch = normalize("tax", "registrations", records)
        assert (batch.deleted.height, batch.accepted_keys.height) == (1, 0)


def test_a_rejected_statement_supersedes_nothing():
    good, bad = tax_record(), tax_record(ngayCapNhat="01/06/2026 08:00:00", ngaySinh="31/02/1990")
    batch = normalize("tax", "registrations", [good, bad])
    assert (batch.accepted_keys.height, len(batch.rejected)) == (1, 1)
    assert batch.high_mark == utc("2026-06-01T08:00:00+07:00")


def test_the_high_mark_counts_every_readable_record():
    broken = tax_record(hoTen=5, ngayCapNhat="01/06/2026 08:00:00")
    gone = tax_record(trangThai="03", ngayCapNhat="01/07/2026 08:00:00")
    assert normalize("tax", "registrations", [tax_record(), broken]).high_mark == utc(
        "2026-06-01T08:00:00+07:00"
    )
    assert normalize("tax", "registrations", [gone, broken]).high_mark == utc("2026-07-01T08:00:00+07:00")
    assert normalize("tax", "registrations", [None]).high_mark is None


def test_whether_unknown_fields_break_the_contract_is_the_connectors_say(spoilt_root):
    record = tax_record(mới=1)
    assert normalize("tax", "registrations", [record]).rejected == []
    path = spoilt_root / "connectors/tax/connector.yaml"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace("    key: [mst]", "    key: [mst]\n    contract: {unknown: quarantine}"), "utf-8"
    )
    [rejected] = load(spoilt_root, "tax", "registrations").normalize([record]).rejected
    assert rejected.reason == "breaks 'additionalProperties' of the contract"


def test_a_key_of_several_fields_is_concatenated(spoilt_root):
    path = spoilt_root / "connectors/tax/connector.yaml"
    path.write_text(path.read_text("utf-8").replace("key: [mst]", "key: [mst, coQuanThue]"), "utf-8")
    batch = load(spoilt_root, "tax", "registrations").normalize([tax_record(), tax_record(coQuanThue="")])
    assert rows(batch.accepted_keys, "source_key") == [("8000000011\x1fThuế cơ sở 1",)]
    assert [(r.path, r.source_key) for r in batch.rejected] == [("mst, coQuanThue", None)]


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_a_batch_normalises_as_its_records_do_one_by_one(source, stream):
    samples = read_samples(source, stream)

    @settings(max_examples=settings.default.max_examples // 4)
    @given(st.permutations([*samples, None, {}]))
    def in_any_order(records):
        whole = normalize(source, stream, records)
        alone = [normalize(source, stream, [record]) for record in records]
        for name, frame in whole.frames.items():
            assert_frame_equal(frame, pl.concat([batch.frames[name] for batch in alone]))
        assert whole.rejected == [rejected for batch in alone for rejected in batch.rejected]
        assert_frame_equal(whole.deleted, pl.concat([batch.deleted for batch in alone]))

    in_any_order()


LONG = "k" * 1001


def test_a_key_that_no_index_can_hold_names_nothing():
    batch = normalize("tax", "registrations", [tax_record(mst=LONG), tax_record(mst="8\0"), tax_record()])
    assert batch.accepted_keys.height == 1
    assert [(each.source_key, each.path) for each in batch.rejected] == [(None, "mst"), (None, "mst")]


def test_the_key_of_a_record_that_breaks_its_contract_has_the_same_length_limit():
    broken = {**read_samples("banking", "accounts")[0], "RsrcId": LONG, "Sts": 1}
    [rejected] = normalize("banking", "accounts", [broken]).rejected
    assert (rejected.source_key, rejected.stage) == (None, "contract")


def test_an_item_whose_key_no_index_can_hold_rejects_its_record():
    dossier = next(each for each in read_samples("portal", "dossiers") if each.get("TaiLieuNop"))
    [first, *others] = dossier["TaiLieuNop"]
    listed = [{**first, "TepDinhKemId": LONG, "IsDeleted": False}, *others]
    [rejected] = normalize("portal", "dossiers", [{**dossier, "TaiLieuNop": listed}]).rejected
    assert (rejected.path, rejected.reason) == ("document.file_id", "the key is too long")


def test_a_record_that_json_cannot_hold_is_rejected_alone():
    deep = orjson.loads("[" * 1000 + "]" * 1000)
    broken = {
        "8000000028": (tax_record(mst="8000000028", ghiChu=deep), "nests deeper than 253 levels", "ghiChu"),
        "8000000036": (
            tax_record(mst="8000000036", hoTen="\ud800"),
            "holds bytes or an escape that is no Unicode text",
            "hoTen",
        ),
        None: (Unreadable("gives a name twice", '{"a":1,"a":2}'), "gives a name twice", ""),
    }
    records = [tax_record(), *(record for record, _, _ in broken.values()), 7, None]
    batch = normalize("tax", "registrations", records)
    assert rows(batch.accepted_keys, "source_key") == [("8000000011",)]
    found = [(each.source_key, each.reason, each.path) for each in batch.rejected]
    assert found[:3] == [(key, reason, path) for key, (_, reason, path) in broken.items()]
    assert [each.reason for each in batch.rejected[3:]] == ["breaks 'type' of the contract"] * 2
    again = normalize("tax", "registrations", [parse_json(each.payload) for each in batch.rejected])
    assert [(each.source_key, each.reason, each.payload) for each in again.rejected] == [
        (each.source_key, each.reason, each.payload) for each in batch.rejected
    ]
