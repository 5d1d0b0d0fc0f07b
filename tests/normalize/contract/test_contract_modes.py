from __future__ import annotations

import copy
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.connector import Contract as Modes
from oncehub.normalize.contract.agreed_type import ABSENT, in_agreed_type
from oncehub.normalize.contract.contract import Contract
from oncehub.normalize.contract.differences import Drift, DriftNotes
from oncehub.normalize.contract.gate import ContractGate

from .contract_oracle import judge

MODES = ["evolve", "ignore", "quarantine", "stop"]
NAMES = ["a", "b", "c", "d"]


def passage(schema, modes, records, gate=None):
    """Pass records through a gate: the passage, and what is noted as (path, kind, found)."""
    gate = gate or ContractGate(Contract(schema), modes)
    notes = DriftNotes()
    passed = gate.sort(records, range(len(records)), notes)
    gate.admit(passed.noted)
    return passed, notes.drift()


def seen(drift):
    return {(each.path, each.kind, each.found) for each in drift}


def record_schema(properties, required=()):
    return {"type": "object", "properties": properties, "required": list(required)}


@st.composite
def scalar_schemas(draw):
    kind = draw(st.sampled_from(["string", "integer", "number", "boolean"]))
    node = {"type": draw(st.sampled_from([kind, [kind, "null"]]))}
    if kind == "string":
        node |= draw(st.sampled_from([{}, {"pattern": "^[0-9]+$"}, {"minLength": 2}, {"enum": ["12", "x"]}]))
    if kind in ("integer", "number"):
        node |= draw(st.sampled_from([{}, {"minimum": 0}, {"maximum": 100}, {"enum": [12, 0]}]))
    return node


def object_schemas(parts):
    return st.builds(
        lambda properties, required: {
            "type": "object",
            "properties": properties,
            "required": [name for name in NAMES if name in required],
        },
        st.dictionaries(st.sampled_from(NAMES), parts, min_size=1, max_size=4),
        st.sets(st.sampled_from(NAMES)),
    )


PARTS = st.recursive(
    scalar_schemas() | st.just({"$ref": "#/$defs/shared"}),
    lambda inner: object_schemas(inner) | st.builds(lambda items: {"type": "array", "items": items}, inner),
    max_leaves=6,
)
SHARED = object_schemas(scalar_schemas())


@st.composite
def schemas(draw):
    return {**draw(object_schemas(PARTS)), "$defs": {"shared": draw(SHARED)}}


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(-1e15, 1e15)
ODD_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 120),
    NUMBERS,
    st.sampled_from(["12", "-7", "012", "1.5", "1.50", "x", "", "1e3", "12\n", "9223372036854775808", "١٢"]),
)
ODD_VALUES = st.recursive(
    ODD_SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*NAMES, "e"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@st.composite
def values(draw, schema, node):
    """A value after the node, from which parts are now and then left out, added or put for others."""
    node = schema["$defs"]["shared"] if "$ref" in node else node
    if draw(st.integers(0, 5)) == 0:
        return draw(ODD_VALUES)
    if "properties" in node:
        made = {name: draw(values(schema, part)) for name, part in node["properties"].items()}
        for name in draw(st.sets(st.sampled_from(NAMES), max_size=2)):
            made.pop(name, None)
        return {**made, **draw(st.dictionaries(st.sampled_from(["e", "f"]), ODD_SCALARS, max_size=1))}
    if "items" in node:
        return [draw(values(schema, node["items"])) for _ in range(draw(st.integers(0, 3)))]
    return draw(st.sampled_from(["12", "x", 12, 0, 1.0, 0.5, True, None]))


@given(st.data())
def test_the_verdict_on_any_record_is_that_of_the_oracle(data):
    schema = data.draw(schemas())
    modes = Modes(
        **{kind: data.draw(st.sampled_from(MODES)) for kind in ("unknown", "changed_type", "missing")}
    )
    record = data.draw(values(schema, schema))
    received = copy.deepcopy(record)
    expected = judge(schema, modes, record)
    passed, drift = passage(schema, modes, [record])
    assert bool(passed.stop) == (expected.outcome == "stops")
    assert bool(passed.sound) == (expected.outcome == "lands")
    assert bool(passed.faults) == (expected.outcome != "lands")
    assert seen(drift) == expected.noted
    if passed.sound:
        [landed] = passed.readable([record])
        assert landed == expected.record
    assert record == received


@given(st.data())
def test_what_was_noted_before_changes_no_verdict(data):
    schema = data.draw(schemas())
    modes = Modes(
        **{kind: data.draw(st.sampled_from(MODES[:3])) for kind in ("unknown", "changed_type", "missing")}
    )
    records = data.draw(st.lists(values(schema, schema), min_size=2, max_size=5))
    gate = ContractGate(Contract(schema), modes)
    noted = set()
    for record in records:
        expected = judge(schema, modes, record)
        passed, drift = passage(schema, modes, [record], gate)
        assert bool(passed.sound) == (expected.outcome == "lands")
        assert list(passed.readable([record])) == ([expected.record] if passed.sound else [])
        assert seen(drift) <= expected.noted
        noted |= seen(drift)
        assert {each for each in expected.noted if each[1] == "changed_type"} <= noted
        assert {each[:2] for each in expected.noted} <= {each[:2] for each in noted}


MANY = record_schema({"a": {"type": "string"}, "b": {"type": "integer"}}, required=["a"])
DIFFERENT = {"unknown": {"x": 1}, "changed_type": {"b": "x"}, "missing": {}}


@pytest.mark.parametrize(("first", "second", "third"), list(product(MODES, repeat=3)))
def test_the_strictest_mode_decides(first, second, third):
    modes = Modes(unknown=first, changed_type=second, missing=third)
    passed, drift = passage(MANY, modes, [{"b": "x", "x": 1}])
    chosen = {first, second, third}
    assert bool(passed.stop) == ("stop" in chosen)
    assert bool(passed.sound) == (chosen <= {"evolve", "ignore"})
    assert len(drift) == [first, second, third].count("evolve")


def test_one_record_in_which_a_page_stops_is_named_without_a_value():
    passed, _ = passage(MANY, Modes(changed_type="stop"), [{"a": "bí mật"}, {"a": "bí mật", "b": "bí mật"}])
    assert passed.stop == (
        "b is of a type that the contract does not allow (found: string); contract.changed_type is stop"
    )
    assert passed.sound == [0]


@pytest.mark.parametrize(
    ("value", "kinds", "read"),
    [
        (12, ["string"], "12"),
        (-(2**63), ["string", "null"], "-9223372036854775808"),
        ("12", ["integer"], 12),
        ("12", ["number"], 12),
        ("-7", ["null", "integer"], -7),
        ("1.5", ["number"], 1.5),
        ("012", ["integer"], ABSENT),
        ("+12", ["integer"], ABSENT),
        ("-0", ["integer"], ABSENT),
        (" 12", ["integer"], ABSENT),
        ("1.0", ["integer"], ABSENT),
        ("1.50", ["number"], ABSENT),
        ("9223372036854775808", ["integer"], ABSENT),
        ("9007199254740993", ["number"], ABSENT),
        ("١٢", ["integer"], ABSENT),
        ("true", ["boolean"], ABSENT),
        (True, ["string"], ABSENT),
        (True, ["integer"], ABSENT),
        (1, ["boolean"], ABSENT),
        (1.5, ["string"], ABSENT),
        (None, ["string"], ABSENT),
        ({}, ["string"], ABSENT),
        ([1], ["integer"], ABSENT),
        ("x", ["object"], ABSENT),
    ],
)
def test_a_value_is_read_in_the_type_agreed_only_where_nothing_is_lost(value, kinds, read):
    assert in_agreed_type(value, kinds) == read


NUMBER = {"type": "string", "pattern": "^[0-9]{12}$"}
EVOLVE = Modes(unknown="evolve", changed_type="evolve", missing="evolve")


def test_a_number_that_lost_its_leading_zeros_is_read_as_absent():
    schema = record_schema({"number": NUMBER})
    passed, drift = passage(schema, EVOLVE, [{"number": 1184000001}, {"number": 101184000001}])
    assert passed.readable([None, None]) == [{}, {"number": "101184000001"}]
    assert drift == (Drift("number", "changed_type", "integer", 2),)


def test_a_required_field_that_cannot_be_read_counts_as_missing():
    schema = record_schema({"number": NUMBER}, required=["number"])
    modes = Modes(changed_type="evolve", missing="quarantine")
    passed, drift = passage(schema, modes, [{"number": 5}])
    assert [(fault.reason, fault.path) for fault in passed.faults] == [
        ("breaks 'required' of the contract", "number")
    ]
    assert seen(drift) == {("number", "changed_type", "integer")}


def test_an_item_that_cannot_be_read_leaves_the_others_in_their_order():
    schema = record_schema({"list": {"type": "array", "items": {"type": "string"}}})
    passed, drift = passage(schema, EVOLVE, [{"list": [{}, "a", None, 1, "b", []]}])
    assert passed.readable([None]) == [{"list": ["a", "1", "b"]}]
    assert seen(drift) == {
        ("list[]", "changed_type", found) for found in ("object", "null", "integer", "array")
    }


def test_a_record_that_is_none_is_rejected_whatever_the_modes():
    for mode in MODES:
        modes = Modes(unknown=mode, changed_type=mode, missing=mode)
        passed, drift = passage(MANY, modes, [None, 5, [], "a"])
        assert (passed.sound, passed.stop, drift) == ([], None, ())
        assert [fault.path for fault in passed.faults] == [""] * 4


def test_a_field_added_to_every_record_is_examined_once():
    gate = ContractGate(Contract(MANY), EVOLVE)
    page = [{"a": "x", "new": 1} for _ in range(3)]
    _, drift = passage(MANY, EVOLVE, page, gate)
    assert drift == (Drift("new", "unknown", "integer", 3),)
    passed, drift = passage(MANY, EVOLVE, [*page, {"a": "x", "newer": 1}], gate)
    assert seen(drift) == {("newer", "unknown", "integer")}
    assert passed.sound == [0, 1, 2, 3]


def test_a_field_noted_at_one_place_is_still_news_at_another():
    schema = record_schema({name: {"$ref": "#/$defs/shared"} for name in ("here", "there")})
    schema["$defs"] = {"shared": record_schema({"a": {"type": "string"}}, required=["a"])}
    gate = ContractGate(Contract(schema), EVOLVE)
    for place in ("here", "there"):
        for inner in ({"a": "", "new": 1}, {}):
            _, drift = passage(schema, EVOLVE, [{place: inner}], gate)
            assert [each.path for each in drift] == [f"{place}.{'new' if inner else 'a'}"]
            assert passage(schema, EVOLVE, [{place: inner}], gate)[1] == ()


@pytest.mark.parametrize(
    "name",
    [
        "001184000001",
        "id_001184000001",
        "x" * 61,
        "lan.anh@example.vn",
        "Nguyễn Thị Ánh",
        "a[0]",
        "\u200b",
        "*",
        "",
    ],
)
def test_a_field_name_that_may_be_data_is_shown_nowhere(name):
    schema = record_schema({"map": record_schema({"a": {"type": "string"}})})
    for mode in ("evolve", "quarantine", "stop"):
        passed, drift = passage(schema, Modes(unknown=mode), [{"map": {name: 1}}])
        paths = [each.path for each in drift] + [fault.path for fault in passed.faults]
        assert set(paths) == {"map.*"}
        assert passed.stop is None or passed.stop.startswith("map.* is not in the contract")


def test_a_map_keyed_by_data_is_noted_once_and_no_more():
    schema = record_schema({"map": record_schema({"a": {"type": "string"}})})
    gate = ContractGate(Contract(schema), EVOLVE)
    page = [{"map": {f"{number:012}": 1, f"{number + 1:012}": 2}} for number in range(9)]
    assert passage(schema, EVOLVE, page, gate)[1] == (Drift("map.*", "unknown", "integer", 9),)
    assert passage(schema, EVOLVE, [{"map": {"another": 1}}], gate)[1] == ()


def test_the_data_in_a_map_that_the_contract_knows_is_shown_nowhere():
    inner = record_schema({"a": {"type": "string"}})
    schema = record_schema({"map": {"type": "object", "additionalProperties": inner}})
    gate = ContractGate(Contract(schema), EVOLVE)
    page = [{"map": {f"{number:012}": {"a": 1, "new": 1}}} for number in range(3)]
    _, drift = passage(schema, EVOLVE, page, gate)
    assert [(each.path, each.kind, each.records) for each in drift] == [
        ("map.*.a", "changed_type", 3),
        ("map.*.new", "unknown", 3),
    ]
    assert seen(passage(schema, EVOLVE, page, gate)[1]) == {("map.*.a", "changed_type", "integer")}


@pytest.mark.parametrize("names", [["0", "00"], ["+1", "1", "a"], [""], ["", "0"]])
def test_names_that_a_path_cannot_distinguish_lose_no_other_value(names):
    inner = {"type": "object", "additionalProperties": {"type": "string"}}
    schema = record_schema({"map": inner, "a": {"type": "string"}})
    received = {"a": "kept", "map": {**dict.fromkeys(names, 5), "kept": "kept"}}
    passed, _ = passage(schema, EVOLVE, [received])
    if passed.sound:
        [landed] = passed.readable([received])
        assert landed == {"a": "kept", "map": {**dict.fromkeys(names, "5"), "kept": "kept"}}
    else:
        assert [fault.reason for fault in passed.faults] == ["breaks 'type' of the contract"]


@pytest.mark.parametrize("inner", [{"x": 5}, {"": {"x": 5}}, {"": {"": 5}}, [{"x": 5}]])
def test_an_error_below_a_name_that_is_empty_rejects_its_record_alone(inner):
    node = {"type": ["object", "string"], "additionalProperties": {"$ref": "#/$defs/node"}}
    schema = record_schema({"map": {"$ref": "#/$defs/node"}}) | {"$defs": {"node": node}}
    passed, _ = passage(schema, Modes(changed_type="quarantine"), [{"map": {"": inner}}, {"map": "x"}])
    assert passed.sound == [1]
    assert [fault.reason for fault in passed.faults] == ["breaks 'type' of the contract"]


@pytest.mark.parametrize("name", ["0", "007", "+84"])
def test_a_name_of_digits_is_a_name(name):
    schema = record_schema({"map": {"type": "object", "additionalProperties": {"type": "string"}}})
    passed, _ = passage(schema, EVOLVE, [{"map": {name: 5}}])
    assert passed.readable([None]) == [{"map": {name: "5"}}]


def test_a_batch_reports_fifty_paths_and_the_rest_as_one():
    page = [{"a": "", f"n{number}": 1} for number in range(80)]
    _, drift = passage(MANY, EVOLVE, page)
    assert len(drift) == 51
    assert Drift("*", "unknown", "integer", 30) in drift
