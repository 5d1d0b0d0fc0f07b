from __future__ import annotations

import re

import orjson
import pytest

from oncehub.config.connector import Connector
from oncehub.errors import ConfigError
from oncehub.normalize.stream_check import check_stream
from oncehub.settings import Settings

from .configuration import ROOT, STREAMS

MAPPING = "mappings/sources/tax/registrations.yaml"
CONNECTOR = "connectors/tax/connector.yaml"
SAMPLES = "connectors/tax/samples/registrations.json"


def faults(root, source="tax", stream="registrations"):
    connector = Connector.load(root / f"connectors/{source}/connector.yaml")
    try:
        check_stream(Settings(root, root / "var", None), connector, stream)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def fault(root, source="tax", stream="registrations"):
    [only] = faults(root, source, stream)
    return only


def unread(root, *stream):
    """The listed values that a mapping cannot read."""
    found = [re.search("allows '(.*?)' for", line) for line in faults(root, *stream)]
    return [each[1] for each in found if each]


def edit(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def describe(root, name, source="tax", stream="registrations", **part):
    """Change what a contract says of a field; None takes a keyword away."""
    path = root / f"schemas/sources/{source}/{stream}.json"
    schema = orjson.loads(path.read_bytes())
    known = schema["properties"].get(name, {"description": name})
    schema["properties"][name] = {key: value for key, value in {**known, **part}.items() if value is not None}
    path.write_bytes(orjson.dumps(schema))


def require(root, *, without=(), source="tax", stream="registrations"):
    path = root / f"schemas/sources/{source}/{stream}.json"
    schema = orjson.loads(path.read_bytes())
    schema["required"] = [name for name in schema["required"] if name not in without]
    path.write_bytes(orjson.dumps(schema))


def add_sample(root, **changes):
    path = root / SAMPLES
    records = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps([*records, {**records[0], **changes}]))
    return len(records) + 1


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_nothing_is_wrong_with_the_streams_in_use(source, stream):
    assert faults(ROOT, source, stream) == []


def test_a_listed_value_that_a_code_list_does_not_know_is_found_at_its_line(spoilt_root):
    describe(spoilt_root, "gioiTinh", enum=["0", "1", "9", None])
    found = fault(spoilt_root)
    line = (spoilt_root / MAPPING).read_text("utf-8").splitlines().index(
        "  sex: {from: gioiTinh, codes: sex_1_0}"
    ) + 1
    assert found.startswith(f"{spoilt_root / MAPPING}:{line}:3: person.sex: ")
    assert found.endswith("the contract allows '9' for gioiTinh, which code list sex_1_0 cannot read")


def test_a_listed_value_is_read_by_all_steps_of_a_rule(spoilt_root):
    listed = ["nam", "Nữ ", "chưa rõ"]
    describe(spoilt_root, "GioiTinh", source="portal", stream="accounts", enum=[*listed, None])
    assert unread(spoilt_root, "portal", "accounts") == ["chưa rõ"]


def test_a_listed_value_that_the_canonical_schema_refuses_is_found(spoilt_root):
    describe(spoilt_root, "quocTich", enum=["VN", "VNM", None], pattern=None, maxLength=None)
    assert fault(spoilt_root).endswith(
        "'VNM' for quocTich, which makes a value that person refuses: does not match the schema's pattern"
    )


def test_a_value_that_deletes_or_that_a_condition_keeps_out_is_not_asked_for(spoilt_root):
    listed = ["00", "01", "03", "04"]
    describe(spoilt_root, "trangThai", enum=listed)
    for number in ("01", "03"):
        edit(spoilt_root / "mappings/codes/taxpayer_status.yaml", f'"{number}"', f'"{number}x"')
    assert unread(spoilt_root) == ["01"]
    edit(
        spoilt_root / MAPPING,
        "tax_registration:",
        'tax_registration:\n  when: {field: trangThai, one_of: ["00", "04"]}',
    )
    assert unread(spoilt_root) == []


def test_a_form_of_date_that_the_contract_names_must_be_read(spoilt_root):
    describe(spoilt_root, "ngayCap", pattern=None, format="date")
    found = [line for line in faults(spoilt_root) if "ngayCap" in line and "record" not in line]
    assert [line.split(": ", 2)[2] for line in found] == [
        "the contract allows '2001-02-03' for ngayCap, which transform date cannot read"
    ]


def test_a_required_attribute_made_of_what_a_record_may_lack_is_found(spoilt_root):
    require(spoilt_root, without={"hoTen"})
    assert fault(spoilt_root).endswith(
        "person.full_name: is required, but a record may lack hoTen; "
        "require one in the contract, or say with when which records have it"
    )
    edit(spoilt_root / MAPPING, "person:", 'person:\n  when: {field: trangThai, equals: "00"}')
    assert faults(spoilt_root) == []


def test_what_lands_without_a_required_field_need_not_be_assured_one(spoilt_root):
    require(spoilt_root, without={"hoTen"})
    edit(spoilt_root / CONNECTOR, "    key: [mst]", "    key: [mst]\n    contract: {missing: ignore}")
    assert faults(spoilt_root) == []


@pytest.mark.parametrize(("name", "says"), [("mst", "a key"), ("ngayCapNhat", "a time of statement")])
def test_a_key_or_time_that_a_record_may_lack_is_found(spoilt_root, name, says):
    require(spoilt_root, without={name})
    found = [line for line in faults(spoilt_root) if line.startswith(f"{spoilt_root / CONNECTOR}:")]
    assert len(found) == 1
    assert found[0].endswith(f"{name} may be absent or null; {says} never is, so require it in the contract")


def test_a_sample_is_named_by_its_number_and_without_a_value(spoilt_root):
    number = add_sample(spoilt_root, ngaySinh="31/02/1990", hoTen="bí mật")
    assert fault(spoilt_root) == (
        f"{spoilt_root / SAMPLES}: record {number}: person.birth_date: "
        "transform partial_date could not read field ngaySinh"
    )


def test_a_sample_that_breaks_the_contract_is_found_whatever_the_mode(spoilt_root):
    number = add_sample(spoilt_root, coQuanThue=7)
    assert "record" in fault(spoilt_root)
    edit(spoilt_root / CONNECTOR, "    key: [mst]", "    key: [mst]\n    contract: {changed_type: evolve}")
    assert fault(spoilt_root).endswith(
        f"record {number}: coQuanThue: is not of the contract's type (found: integer)"
    )


def test_a_sample_that_shows_a_new_field_is_found_unless_new_fields_are_ignored(spoilt_root):
    number = add_sample(spoilt_root, mới=1)
    assert fault(spoilt_root).endswith(
        f"record {number}: mới: is not in the contract; add it (found: integer)"
    )
    edit(spoilt_root / CONNECTOR, "    key: [mst]", "    key: [mst]\n    contract: {unknown: ignore}")
    assert faults(spoilt_root) == []


def test_samples_that_cannot_be_read_are_named_with_their_place(spoilt_root):
    path = spoilt_root / SAMPLES
    path.write_text("[{]", "utf-8")
    assert fault(spoilt_root).startswith(f"{path}:1:")
    path.write_text("{}", "utf-8")
    assert "is not a JSON list" in fault(spoilt_root)
    path.unlink()
    assert faults(spoilt_root) == []


CHILD = """
  papers:
    read: {format: json, path: "/v2/taxpayers/{number}/papers", records: data}
    pages: {kind: none}
    key: [parent.number, code]
    updated: {field: seen, format: unix_ms}
    parent: {stream: registrations, take: {number: mst}}
"""
PAPERS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["code", "seen", "parent"],
    "properties": {
        "code": {"type": "integer"},
        "seen": {"type": "integer"},
        "parent": {
            "type": "object",
            "required": ["number"],
            "properties": {"number": {"type": "string"}},
        },
    },
}
PAPERS_MAPPING = """
tax_registration:
  tax_code: {from: parent.number, via: [tax_code]}
  status: {value: active}
"""


@pytest.fixture
def with_papers(spoilt_root):
    """A root in which taxpayers have papers, asked for by the taxpayer's number."""
    path = spoilt_root / CONNECTOR
    path.write_text(path.read_text("utf-8") + CHILD.removeprefix("\n"), "utf-8")
    (spoilt_root / "schemas/sources/tax/papers.json").write_bytes(orjson.dumps(PAPERS))
    (spoilt_root / "mappings/sources/tax/papers.yaml").write_text(PAPERS_MAPPING, "utf-8")
    return spoilt_root


def test_what_is_taken_of_a_parent_is_described_by_the_contract(with_papers):
    assert faults(with_papers, stream="papers") == []
    describe(with_papers, "parent", stream="papers", properties={"code": {"type": "string"}})
    assert "streams.papers.parent.take.number: the contract knows no field 'parent.number'" in "\n".join(
        faults(with_papers, stream="papers")
    )


def test_a_field_that_no_frame_holds_may_come_in_several_types(with_papers):
    either = {"type": "object", "properties": {"number": {"type": ["integer", "string"]}}}
    describe(with_papers, "parent", stream="papers", required=None, **either)
    edit(with_papers / CONNECTOR, "key: [parent.number, code]", "key: [code]")
    edit(with_papers / "mappings/sources/tax/papers.yaml", "from: parent.number", 'value: "8000000011"')
    assert faults(with_papers, stream="papers") == []


def test_what_children_are_asked_for_with_is_in_every_parent(with_papers):
    assert faults(with_papers) == []
    edit(with_papers / CONNECTOR, "take: {number: mst}", "take: {number: soDinhDanh}")
    assert fault(with_papers).endswith(
        "streams.papers.parent.take.number: soDinhDanh may be absent or null; "
        "what children are asked for with never is, so require it in the contract"
    )
    edit(with_papers / CONNECTOR, "take: {number: soDinhDanh}", "take: {number: soDinhDan}")
    assert "did you mean 'soDinhDanh'?" in fault(with_papers)
