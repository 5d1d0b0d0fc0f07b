from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from oncehub.normalize.contract import ContractCheck, closed_schema, equals, load_contract, only

from .configuration import ROOT, STREAMS, load, read_samples


def _pattern(_validator, pattern, instance, _schema):
    # Python's $ also matches before a last line break, JSON Schema's (ECMA-262) does not.
    if isinstance(instance, str) and not re.search(re.sub(r"\$(?=$|\))", r"\\Z", pattern), instance):
        yield ValidationError("pattern")


Oracle = extend(Draft202012Validator, {"pattern": _pattern})
CONTRACTS = {
    (source, stream): load_contract(ROOT / f"schemas/sources/{source}/{stream}.json")
    for source, stream in STREAMS
}
CHECKS = {key: ContractCheck(contract.schema) for key, contract in CONTRACTS.items()}
ORACLES = {key: Oracle(contract.schema) for key, contract in CONTRACTS.items()}

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
        assert CHECKS[source, stream].holds(record)
        assert ORACLES[source, stream].is_valid(record)


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_a_broken_record_gets_the_verdict_of_the_reference_implementation(source, stream):
    samples = read_samples(source, stream)

    @settings(deadline=None)
    @given(st.data())
    def same_verdict(data):
        record = data.draw(st.sampled_from(samples))
        path = data.draw(st.sampled_from(list(places(record))))
        record = changed(record, path, data.draw(ODD_VALUES), remove=data.draw(st.booleans()))
        expected = ORACLES[source, stream].is_valid(record)
        assert CHECKS[source, stream].holds(record) == expected
        if not expected:
            fault = CHECKS[source, stream].fault(0, record)
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
    check = CHECKS["tax", "registrations"]
    record = read_samples("tax", "registrations")[0]
    without = {key: value for key, value in record.items() if key != "hoTen"}
    missing = check.fault(3, without)
    assert (missing.reason, missing.path) == ("breaks 'required' of the contract", "hoTen")
    wrong = check.fault(3, {**record, "diaChi": {"maXa": 4}})
    assert (wrong.reason, wrong.path) == ("breaks 'type' of the contract", "diaChi.maXa")


def test_no_value_stands_in_a_fault():
    record = {**read_samples("tax", "registrations")[0], "soDinhDanh": "bí mật", "bí mật": "bí mật"}
    fault = CHECKS["tax", "registrations"].fault(0, record)
    assert "bí mật" not in f"{fault.reason} {fault.path}"


def test_a_closed_contract_refuses_a_field_it_does_not_know():
    schema = closed_schema(CONTRACTS["tax", "registrations"].schema)
    record = read_samples("tax", "registrations")[0]
    assert ContractCheck(schema).holds(record)
    assert not ContractCheck(schema).holds({**record, "mới": 1})
    assert not ContractCheck(schema).holds({**record, "diaChi": {**record["diaChi"], "mới": 1}})


def test_a_deletion_is_told_by_its_very_value():
    mark = ContractCheck(equals("DaXoa", True))
    assert mark.holds({"DaXoa": True})
    assert not any(
        mark.holds(other) for other in ({"DaXoa": 1}, {"DaXoa": "true"}, {"DaXoa": False}, {}, None, [])
    )


def test_a_deleted_record_must_state_its_key_and_time_alone():
    check = ContractCheck(only(CONTRACTS["population", "citizens"], ("Id", "NgayCapNhat")))
    tombstone = read_samples("population", "citizens")[-1]
    assert check.holds(tombstone)
    assert not check.holds({**tombstone, "Id": ""})
    assert not check.holds({key: value for key, value in tombstone.items() if key != "NgayCapNhat"})


def test_all_configured_streams_are_tested():
    configured = {(path.parts[-2], path.stem) for path in (ROOT / "schemas/sources").glob("*/*.json")}
    assert configured == set(STREAMS)
    for source, stream in STREAMS:
        load(ROOT, source, stream)
