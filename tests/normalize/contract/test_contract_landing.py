"""What the modes of a contract make of whole batches: frames, deletions, sequences, drift and stop."""

from __future__ import annotations

import datetime as clock

import orjson
import pytest

from oncehub.normalize.contract.differences import Drift

from ..configuration import load, read_samples

CONNECTOR = "connectors/tax/connector.yaml"
STATED = clock.datetime(2026, 5, 1, 1, 12, 33, tzinfo=clock.UTC)


def record(**changes):
    return {**read_samples("tax", "registrations")[0], **changes}


def normalizer(root, *, contract="{}", **replaced):
    """The tax stream with another contract, and with lines of its connector replaced."""
    path = root / CONNECTOR
    text = path.read_text("utf-8").replace("    key: [mst]", f"    key: [mst]\n    contract: {contract}")
    for name, line in replaced.items():
        kept = [
            each if not each.startswith(f"    {name}:") else f"    {name}: {line}"
            for each in text.split("\n")
        ]
        text = "\n".join(kept)
    path.write_text(text, "utf-8")
    return load(root, "tax", "registrations")


def with_field(root, name, *, required=False, **part):
    path = root / "schemas/sources/tax/registrations.json"
    schema = orjson.loads(path.read_bytes())
    schema["properties"][name] = part
    schema["required"] += [name] if required else []
    path.write_bytes(orjson.dumps(schema))


def keys(frame):
    return frame["source_key"].to_list()


def test_a_record_of_changed_types_lands_in_the_types_agreed(spoilt_root):
    tax = normalizer(spoilt_root, contract="{changed_type: evolve}")
    batch = tax.normalize([record(mst=8000000011, dienThoai=84912000001, gioiTinh=[], coQuanThue=None)])
    assert batch.rejected == []
    [person] = batch.frames["person"].to_dicts()
    assert (person["source_key"], person["tax_code"], person["sex"]) == ("8000000011", "8000000011", None)
    assert {(each.path, each.found) for each in batch.drift} == {
        ("mst", "integer"),
        ("dienThoai", "integer"),
        ("gioiTinh", "array"),
    }


def test_the_payload_of_a_record_rejected_later_is_as_received(spoilt_root):
    tax = normalizer(spoilt_root, contract="{changed_type: ignore}")
    received = record(mst=8000000011, ngaySinh="31/02/1990")
    [rejected] = tax.normalize([received]).rejected
    assert (rejected.stage, rejected.source_key) == ("mapping", "8000000011")
    assert orjson.loads(rejected.payload) == received


@pytest.mark.parametrize("missing", ["evolve", "ignore"])
def test_a_record_without_a_required_field_lands_unless_an_attribute_needs_it(spoilt_root, missing):
    tax = normalizer(spoilt_root, contract=f"{{missing: {missing}}}")
    without_name = {key: value for key, value in record().items() if key != "hoTen"}
    without_code = {key: value for key, value in record(mst="0100233488").items() if key != "soDinhDanh"}
    batch = tax.normalize([without_name, without_code])
    assert [(each.stage, each.path) for each in batch.rejected] == [("canonical", "person.full_name")]
    assert keys(batch.accepted_keys) == ["0100233488"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"mst": None}, "mst"),
        ({"mst": {}}, "mst"),
        ({"mst": True}, "mst"),
        ({"ngayCapNhat": 20260501}, "ngayCapNhat"),
        ({"ngayCapNhat": []}, "ngayCapNhat"),
    ],
)
@pytest.mark.parametrize("mode", ["evolve", "ignore"])
def test_a_key_or_time_that_cannot_be_read_is_rejected_whatever_the_mode(spoilt_root, mode, changes, path):
    tax = normalizer(spoilt_root, contract=f"{{unknown: {mode}, changed_type: {mode}, missing: {mode}}}")
    batch = tax.normalize([record(**changes), record(mst="0100233488")])
    assert [each.path for each in batch.rejected] == [path]
    assert keys(batch.accepted_keys) == ["0100233488"]


def test_a_batch_that_must_stop_the_run_says_so_without_a_value(spoilt_root):
    tax = normalizer(spoilt_root, contract="{unknown: stop}")
    assert tax.normalize([record()]).stop is None
    batch = tax.normalize([record(), record(mới="bí mật")])
    assert batch.stop == "mới is not in the contract (found: string); contract.unknown is stop"


def test_drift_is_noted_with_the_number_of_records(spoilt_root):
    tax = normalizer(spoilt_root, contract="{unknown: evolve}")
    batch = tax.normalize([record(mới=1), record(mới=2, mst="0100233488"), record(mới="a")])
    assert batch.drift == (Drift("mới", "unknown", "integer", 2), Drift("mới", "unknown", "string", 1))
    assert tax.normalize([record(mới=1)]).drift == ()
    assert batch.rejected == []


def test_a_deleted_record_is_known_by_its_key_in_the_type_agreed(spoilt_root):
    tax = normalizer(spoilt_root, contract="{changed_type: evolve}")
    batch = tax.normalize([record(mst=8000000011, trangThai="03", mới=1, hoTen=None)])
    assert (keys(batch.deleted), batch.rejected) == (["8000000011"], [])
    assert [each.path for each in batch.drift] == ["mst"]


def test_a_rejected_record_says_when_it_was_stated_and_whether_it_is_a_deletion(spoilt_root):
    tax = normalizer(spoilt_root)
    broken = record(hoTen=5, ngayCapNhat="01/05/2026 08:12:33")
    gone = record(mst=5, trangThai="03", ngayCapNhat="01/05/2026 08:12:33")
    untimed = record(ngayCapNhat="31/02/2026 00:00:00")
    rejected = tax.normalize([broken, gone, untimed, None]).rejected
    assert [(each.stated_at, each.deletion) for each in rejected] == [
        (STATED, False),
        (STATED, True),
        (None, False),
        (None, False),
    ]


TOMBSTONES = "{kind: stream, read: {format: json, path: /x}, pages: {kind: none}%s}"


def test_tombstones_name_who_is_gone_and_when(spoilt_root):
    own = ", key: [ma], updated: {field: luc, format: unix_ms}"
    tax = normalizer(spoilt_root, deletes=TOMBSTONES % own)
    batch = tax.normalize(
        [
            {"ma": "8000000011", "luc": 1777597953000, "anything": []},
            {"ma": 8000000028, "luc": "1777597953000"},
            {"ma": "", "luc": 1777597953000},
            {"ma": "8000000035", "luc": "yesterday"},
            {"luc": 1777597953000},
            {"ma": [], "luc": 1777597953000},
            None,
        ],
        deletions=True,
    )
    assert batch.deleted.rows() == [("8000000011", STATED), ("8000000028", STATED)]
    assert [(each.stage, each.path, each.deletion) for each in batch.rejected] == [
        ("mapping", "ma", True),
        ("mapping", "luc", True),
        ("contract", "ma", True),
        ("contract", "ma", True),
        ("contract", "", True),
    ]
    assert batch.accepted_keys.is_empty()
    assert all(frame.is_empty() for frame in batch.frames.values())
    assert (batch.high_mark, batch.read, batch.drift) == (STATED, 7, ())


def test_tombstones_are_read_by_the_streams_own_fields_unless_they_have_others(spoilt_root):
    tax = normalizer(spoilt_root, deletes=TOMBSTONES % "")
    tombstone = {"mst": "8000000011", "ngayCapNhat": "01/05/2026 08:12:33"}
    assert tax.normalize([tombstone], deletions=True).deleted.rows() == [("8000000011", STATED)]
    assert tax.normalize([record(trangThai="03")]).deleted.is_empty()


def sequenced(root, **part):
    with_field(root, "so", **part)
    return normalizer(root, changes="{kind: sequence, field: so, since: tu}")


def test_the_highest_sequence_counts_every_record_that_has_a_readable_one(spoilt_root):
    tax = sequenced(spoilt_root, type=["integer", "null"])
    records = [
        record(so=5),
        record(so=9, hoTen=5),
        record(so=12, trangThai="03"),
        record(so="11"),
        record(so=True),
        record(so=None),
        record(so=2**64 - 1),
        None,
    ]
    assert tax.normalize(records).high_sequence == 12
    assert tax.normalize([record(so="11"), record(so="x")]).high_sequence == 11
    assert tax.normalize([record(so=None), None]).high_sequence is None


def test_a_stream_without_sequence_has_no_highest(spoilt_root):
    assert normalizer(spoilt_root).normalize([record()]).high_sequence is None


@pytest.mark.parametrize(("form", "sent"), [("unix", 1777597953), ("unix_ms", 1777597953000)])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_time_may_be_a_number_or_its_digits(spoilt_root, form, sent, as_text):
    with_field(spoilt_root, "luc", type="string" if as_text else "integer", required=True)
    tax = normalizer(spoilt_root, updated=f"{{field: luc, format: {form}}}")
    value = str(sent) if as_text else sent
    batch = tax.normalize([record(luc=value), record(luc=value, trangThai="03", mst="0100233488")])
    assert batch.accepted_keys.rows() == [("8000000011", STATED)]
    assert batch.deleted.rows() == [("0100233488", STATED)]
    broken = tax.normalize([record(luc=value, hoTen=5)])
    assert (broken.rejected[0].stated_at, broken.high_mark) == (STATED, STATED)


def test_a_key_of_a_number_and_a_text_is_the_same_however_it_comes(spoilt_root):
    with_field(spoilt_root, "so", type="integer", required=True)
    tax = normalizer(spoilt_root, key="[mst, so]")
    live = tax.normalize([record(so=7), record(so=7.0, mst="0100233488")])
    assert keys(live.accepted_keys) == ["8000000011\x1f7", "0100233488\x1f7"]
    gone = tax.normalize([record(so=7, trangThai="03"), record(so=7.0, trangThai="03", mst="0100233488")])
    assert keys(gone.deleted) == keys(live.accepted_keys)
    assert [each.source_key for each in tax.normalize([record(so=7, hoTen=5)]).rejected] == [
        "8000000011\x1f7"
    ]
