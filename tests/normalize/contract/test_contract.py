from __future__ import annotations

import copy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.connector import Contract as Modes
from oncehub.config.connector import FlagDeletes
from oncehub.errors import ConfigError
from oncehub.normalize.contract.contract import Contract, load_contract, only
from oncehub.normalize.contract.differences import DriftNotes
from oncehub.normalize.contract.gate import ContractGate
from oncehub.normalize.normalizer import DeleteMarks

from ..configuration import ROOT, STREAMS, load, read_samples
from .contract_oracle import Oracle

CONTRACTS = {
    (source, stream): load_contract(ROOT / f"schemas/sources/{source}/{stream}.json")
    for source, stream in STREAMS
}
LENIENT = Modes(unknown="ignore")
CLOSED = Modes(unknown="quarantine")
ORACLES = {key: Oracle(contract.schema) for key, contract in CONTRACTS.items()}

TAX = CONTRACTS["tax", "registrations"]

ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=15),
    st.from_regex(r"[0-9]{8,14}", fullmatch=True),
    st.sampled_from(["", " ", "0\n", "2026-05-01", "2026-05-01T08:12:33+07:00", "00004", "1.0"]),
    st.just([]),
    st.just({}),
    st.lists(st.text(max_size=3), max_size=2),
)


def fault_of(contract, record, modes=LENIENT):
    """The fault of a record, None where it lands."""
    return next(iter(ContractGate(contract, modes).sort([record], [0], DriftNotes()).faults), None)


def holds(contract, record, modes=LENIENT):
    return fault_of(contract, record, modes) is None


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def changed(record, path, value, *, remove):
    record = copy.deepcopy(record)
    if not path:
        return value
    *outer, last = path
    inside = record
    for key in outer:
        inside = inside[key]
    if remove:
        del inside[last]
    else:
        inside[last] = value
    return record


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_live_samples_meet_their_contract(source, stream):
    samples = [record for record in read_samples(source, stream) if record.get("DaXoa") is not True]
    assert len(samples) >= 4
    for record in samples:
        assert holds(CONTRACTS[source, stream], record)
        assert ORACLES[source, stream].is_valid(record)


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_a_broken_record_gets_the_verdict_of_the_reference_implementation(source, stream):
    samples = read_samples(source, stream)

    @given(st.data())
    def same_verdict(data):
        record = data.draw(st.sampled_from(samples))
        path = data.draw(st.sampled_from(list(places(record))))
        record = changed(record, path, data.draw(ODD_VALUES), remove=data.draw(st.booleans()))
        expected = ORACLES[source, stream].is_valid(record)
        fault = fault_of(CONTRACTS[source, stream], record)
        assert (fault is None) == expected
        if fault:
            keywords = {error.validator for error in ORACLES[source, stream].iter_errors(record)}
            assert fault.reason.split("'")[1] in keywords

    same_verdict()


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_every_field_a_contract_describes_says_what_it_is(source, stream):
    def described(node):
        for part in node.get("properties", {}).values():
            assert part.get("description")
            described(part)
        described(node["items"]) if "items" in node else None

    schema = CONTRACTS[source, stream].schema
    for part in (schema, *schema.get("$defs", {}).values()):
        described(part)


def test_a_missing_field_is_named_and_a_wrong_one_too():
    record = read_samples("tax", "registrations")[0]
    without = {key: value for key, value in record.items() if key != "hoTen"}
    missing = fault_of(TAX, without)
    assert (missing.reason, missing.path) == ("breaks 'required' of the contract", "hoTen")
    wrong = fault_of(TAX, {**record, "diaChi": {"maXa": 4}})
    assert (wrong.reason, wrong.path) == ("breaks 'type' of the contract", "diaChi.maXa")


def test_no_value_stands_in_a_fault():
    record = {**read_samples("tax", "registrations")[0], "soDinhDanh": "bí mật", "bí mật": "bí mật"}
    fault = fault_of(TAX, record)
    assert "bí mật" not in f"{fault.reason} {fault.path}"


def test_a_closed_contract_refuses_a_field_it_does_not_know():
    record = read_samples("tax", "registrations")[0]
    assert holds(TAX, record, CLOSED)
    assert fault_of(TAX, {**record, "mới": 1}, CLOSED).path == "mới"
    inner = {**record, "diaChi": {**record["diaChi"], "mới": 1}}
    assert fault_of(TAX, inner, CLOSED).path == "diaChi.mới"
    assert holds(TAX, inner)


NAMED_ELSEWHERE = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "allOf": [{"properties": {"b": {"type": "string"}}}, {"$ref": "#/$defs/more"}],
    "if": {"properties": {"c": {"const": "1"}}},
    "then": {"required": ["d"]},
    "$defs": {"more": {"properties": {"d": {"type": "string"}}}},
}


def test_a_field_that_a_condition_or_a_part_names_is_known():
    contract = Contract(NAMED_ELSEWHERE)
    assert holds(contract, {"a": "", "b": "", "c": "1", "d": ""}, CLOSED)
    assert fault_of(contract, {"c": "0", "e": ""}, CLOSED).path == "e"
    assert fault_of(contract, {"c": "1"}, CLOSED).path == "d"


def test_an_object_that_says_what_its_other_fields_are_knows_them():
    numbers = {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}}
    contract = Contract({"type": "object", "properties": {"counts": numbers, "free": {"type": "object"}}})
    assert holds(contract, {"counts": {"a": 1}, "free": {"any": "thing"}}, CLOSED)
    assert fault_of(contract, {"counts": {"a": "x"}}, CLOSED).path == "counts.a"


def test_a_contract_that_refuses_unknown_fields_by_itself_does_so_only_if_the_connector_wants_it():
    contract = Contract(
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    )
    assert holds(contract, {"a": "", "b": ""}, LENIENT)
    assert not holds(contract, {"a": "", "b": ""}, CLOSED)


def test_a_definition_that_contains_itself_is_checked_at_every_level():
    person = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#/$defs/person"}},
    }
    contract = Contract({"$ref": "#/$defs/person", "type": "object", "$defs": {"person": person}})
    assert holds(contract, {"name": "a", "child": {"name": "b", "child": {"name": "c"}}}, CLOSED)
    assert not holds(contract, {"name": "a", "child": {"name": "b", "child": {"name": 3}}}, CLOSED)
    assert fault_of(contract, {"name": "a", "extra": 1}, CLOSED).path == "extra"


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -1e19, 1e30])
def test_a_number_that_64_bits_do_not_hold_is_no_integer(number):
    contract = Contract({"type": "object", "properties": {"n": {"type": ["integer", "null"]}}})
    assert fault_of(contract, {"n": number}).path == "n"
    assert all(holds(contract, {"n": n}) for n in (2**63 - 1, -(2**63), 5.0, None))


@pytest.mark.parametrize("reference", ["#", "#/$defs/gone", "other.json", "#/properties/a"])
def test_a_reference_that_leads_nowhere_is_refused(tmp_path, reference):
    path = tmp_path / "contract.json"
    path.write_bytes(orjson.dumps({"properties": {"a": {"$ref": reference}}, "$defs": {"b": {}}}))
    with pytest.raises(ConfigError, match="has no target"):
        load_contract(path)


def test_what_a_contract_assures_is_required_and_never_null_all_the_way():
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    inner = {"type": "object", "required": ["a", "b"], "properties": {"a": text, "b": maybe, "c": text}}
    contract = Contract({"type": "object", "required": ["x"], "properties": {"x": inner, "y": inner}})
    assured = {path: contract.assures(path) for path in ("x", "x.a", "x.b", "x.c", "y", "y.a")}
    assert assured == {"x": True, "x.a": True, "x.b": False, "x.c": False, "y": False, "y.a": False}


def test_a_deletion_is_recognised_by_its_exact_value():
    others = [{"DaXoa": 1}, {"DaXoa": "true"}, {"DaXoa": False}, {}, None, []]
    live, gone = DeleteMarks(FlagDeletes(kind="flag", field="DaXoa", equals=True)).part(
        [{"DaXoa": True}, *others, {"DaXoa": True}], range(7)
    )
    assert (list(gone), list(live)) == ([0], [1, 2, 3, 4, 5, 6])
    assert list(DeleteMarks(None).part([{"DaXoa": True}], [0])[0]) == [0]


def test_a_deleted_record_must_state_its_key_and_time_alone():
    asked = only(CONTRACTS["population", "citizens"], ("Id", "NgayCapNhat"))
    tombstone = read_samples("population", "citizens")[-1]
    assert holds(asked, tombstone)
    assert not holds(asked, {**tombstone, "Id": ""})
    assert not holds(asked, {key: value for key, value in tombstone.items() if key != "NgayCapNhat"})


def test_all_configured_streams_are_tested():
    configured = {(path.parts[-2], path.stem) for path in (ROOT / "schemas/sources").glob("*/*.json")}
    assert configured == set(STREAMS)
    for source, stream in STREAMS:
        load(ROOT, source, stream)
