from __future__ import annotations

import orjson
import pytest

from oncehub.errors import ConfigError

from ..configuration import load

MAPPING = "mappings/sources/tax/registrations.yaml"
BANKING = "mappings/sources/banking/accounts.yaml"


def refusal(root, source="tax", stream="registrations"):
    with pytest.raises(ConfigError) as caught:
        load(root, source, stream)
    return str(caught.value)


def replace(path, old, new):
    text = path.read_text("utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ("from: hoTen", "from: hoTem", "the contract knows no field 'hoTem'; did you mean 'hoTen'?"),
        ("from: diaChi.maXa", "from: diaChi.maXax", "did you mean 'diaChi.maXa'?"),
        (
            "from: diaChi.maXa",
            "from: diaChi",
            "diaChi is no single value; name one of its fields, diaChi.<field>",
        ),
        ("if_present: diaChi.maXa", "if_present: diaChi.ma", "'diaChi.ma'; did you mean 'diaChi.maXa'?"),
        ("[tcvn3, nfc", "[tcvn4, nfc", "no transform is called 'tcvn4'; did you mean 'tcvn3'?"),
        (
            "dd/MM/yyyy, MM/yyyy",
            "dd/mm/yyyy, MM/yyyy",
            "transform partial_date: 'dd/mm/yyyy' is no form of a date",
        ),
        ("codes: sex_1_0", "codes: sex_10", "no code list is called 'sex_10'; did you mean 'sex_1_0'?"),
        ("codes: sex_1_0", "codes: taxpayer_status", "which the canonical schema does not allow"),
        ("  full_name:", "  full_nam:", "person has no attribute 'full_nam'; did you mean 'full_name'?"),
        ("permanent_address.unit", "permanent_address.uni", "has no member 'uni'; did you mean 'unit'?"),
        (
            "permanent_address.unit",
            "permanent_address",
            "is composite; write its members, as permanent_address.unit",
        ),
        ("tax_registration:", "tax_registrations:", "is no entity; did you mean 'tax_registration'?"),
        (
            "[{date: dd/MM/yyyy}]",
            "[nfc]",
            "makes String, but the attribute is a date; end via with {date: <form>}",
        ),
        ("tax_registration:", "tax_registration:\n  each: hoTen", "hoTen is no list; remove each"),
        (
            "tax_registration:",
            "tax_registration:\n  when: {field: trangThai, equals: 1}",
            "trangThai is never 1; the contract says string",
        ),
        (
            '{edition_as_of: "%d/%m/%Y %H:%M:%S"}',
            "{edition_as_of: [iso8601, Asia/Hanoi]}",
            "transform edition_as_of: 'Asia/Hanoi' is no time zone",
        ),
        (
            '{edition_as_of: "%d/%m/%Y %H:%M:%S"}',
            "{edition_as_of: [a, b, c]}",
            "takes form = 'iso8601', zone = ",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_at_its_line_with_advice(spoilt_root, old, new, advice):
    path = spoilt_root / MAPPING
    replace(path, old, new)
    message = refusal(spoilt_root)
    assert advice in message
    file, line, column, _ = message.splitlines()[0].split(":", 3)
    written = path.read_text("utf-8").splitlines()[int(line) - 1]
    assert file == str(path)
    assert written[int(column) - 1 :].strip()


def test_a_mapping_names_the_required_attribute_it_lacks(spoilt_root):
    path = spoilt_root / MAPPING
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "full_name" not in line), "utf-8")
    assert "person: lacks full_name, which person requires; add it" in refusal(spoilt_root)


def test_all_faults_of_a_mapping_come_at_once(spoilt_root):
    path = spoilt_root / MAPPING
    replace(path, "from: hoTen", "from: hoTem")
    replace(path, "codes: sex_1_0", "codes: sex_2_0")
    assert len(refusal(spoilt_root).splitlines()) == 2


def test_a_list_of_an_entity_that_a_record_states_once_is_refused(spoilt_root):
    path = spoilt_root / BANKING
    replace(path, "bank_account:", "bank_account:\n  each: Ownr.Id.PrvtId.Othr")
    message = refusal(spoilt_root, "banking", "accounts")
    assert "bank_account.each: bank_account is one row a record; remove each" in message


def test_a_list_needs_each_or_pick(spoilt_root):
    replace(
        spoilt_root / BANKING,
        "from: Ownr.CtctDtls.PhneNb",
        "from: Ownr.Id.PrvtId.Othr",
    )
    assert "is no single value; use each or pick" in refusal(spoilt_root, "banking", "accounts")
    replace(
        spoilt_root / BANKING,
        "from: Ownr.Id.PrvtId.Othr, via: [phone_vn]",
        "from: Ownr.Id.PrvtId.Othr.Id",
    )
    assert "is a list; use each or pick" in refusal(spoilt_root, "banking", "accounts")


def test_a_pick_is_checked_too(spoilt_root):
    replace(spoilt_root / BANKING, "SchmeNm.Cd", "SchmeNm.Code")
    assert "knows no field 'SchmeNm.Code'; did you mean 'SchmeNm.Cd'?" in refusal(
        spoilt_root, "banking", "accounts"
    )


def test_a_field_whose_name_is_no_step_of_a_path_is_suggested_as_a_json_path(spoilt_root):
    contract = spoilt_root / "schemas/sources/tax/registrations.json"
    schema = orjson.loads(contract.read_bytes())
    item = {"type": "object", "properties": {"T.Tin": {"type": "string"}}}
    schema["properties"] |= {"Person.ID": {"type": "string"}, "lists": {"type": "array", "items": item}}
    contract.write_bytes(orjson.dumps(schema))
    path = spoilt_root / "connectors/tax/connector.yaml"
    for wrong, meant in (
        ("Person.ID", "$['Person.ID']"),
        ("$['Person.IDs']", "$['Person.ID']"),
        ("$.lists[*].T_Tin", "$['lists'][*]['T.Tin']"),
    ):
        text = path.read_text("utf-8")
        replace(path, "key: [mst]", f'key: ["{wrong}"]')
        assert f'did you mean "{meant}"?' in refusal(spoilt_root)
        path.write_text(text, "utf-8")


def test_a_connector_that_names_unknown_fields_is_refused_at_its_line(spoilt_root):
    path = spoilt_root / "connectors/tax/connector.yaml"
    replace(path, "key: [mst]", "key: [msr]")
    message = refusal(spoilt_root)
    assert message.startswith(f"{path}:")
    assert "did you mean 'mst'?" in message


def test_a_form_of_time_that_cannot_be_read_is_refused_at_its_line(spoilt_root):
    path = spoilt_root / "connectors/tax/connector.yaml"
    replace(path, "%d/%m/%Y %H:%M:%S", "%d/%m %H:%M:%S")
    assert "'%d/%m %H:%M:%S' is no form of a moment" in refusal(spoilt_root)


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ("key: [mst]", "key: [diaChi]", "key: diaChi is object; a key is string or integer"),
        (
            "updated: {field: ngayCapNhat",
            "updated: {field: diaChi",
            "updated.field: diaChi is object; a time of statement is string",
        ),
        (
            'equals: "03"}',
            "equals: 3}",
            "deletes.field: trangThai is string; what equals 3 is integer or number",
        ),
        (
            "changes: {since: tuNgay, until: denNgay, overlap: 1h}",
            "changes: {kind: sequence, field: diaChi, since: tuNgay}",
            "changes.field: diaChi is object; a sequence is",
        ),
        (
            'deletes: {kind: flag, field: trangThai, equals: "03"}',
            "deletes: {kind: stream, key: [a, b], read: {format: json, path: /x}, pages: {kind: none}}",
            "deletes.key: names 2 of 1 fields; give one for each of key",
        ),
        (
            'deletes: {kind: flag, field: trangThai, equals: "03"}',
            "deletes: {kind: stream, updated: {field: a, format: x}, read: {format: json, path: /x},"
            " pages: {kind: none}}",
            "deletes.updated.format: 'x' is no form of a moment",
        ),
    ],
)
def test_a_field_that_cannot_serve_as_the_connector_says_is_refused_at_its_line(
    spoilt_root, old, new, advice
):
    path = spoilt_root / "connectors/tax/connector.yaml"
    replace(path, old, new)
    message = refusal(spoilt_root)
    assert message.startswith(f"{path}:")
    assert f"streams.registrations.{advice}" in message


def test_a_contract_that_is_no_schema_is_refused(spoilt_root):
    path = spoilt_root / "schemas/sources/tax/registrations.json"
    schema = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({**schema, "type": "objekt"}))
    assert "registrations.json" in refusal(spoilt_root)


def test_a_field_of_two_types_cannot_be_mapped(spoilt_root):
    path = spoilt_root / "schemas/sources/tax/registrations.json"
    schema = orjson.loads(path.read_bytes())
    schema["properties"]["gioiTinh"]["type"] = ["string", "integer"]
    path.write_bytes(orjson.dumps(schema))
    message = refusal(spoilt_root)
    assert "'gioiTinh' 2 types" in message
    assert message.startswith(str(spoilt_root / MAPPING))


def test_an_unknown_stream_is_refused(spoilt_root):
    assert "there is no stream 'registration'" in refusal(spoilt_root, "tax", "registration")
