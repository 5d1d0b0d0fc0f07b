"""A contract proposed from samples is met by every one of them, and concludes no more than they show."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oncehub.authoring.inference import inferred_contract

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("0123456789ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4), max_size=30))
def test_every_sample_meets_its_contract(records: list[dict[str, Any]]) -> None:
    schema = inferred_contract("s", records)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert all(validator.is_valid(record) for record in records)


def test_what_every_record_has_is_required_and_what_one_lacks_is_not() -> None:
    schema = inferred_contract(
        "s", [{"a": 1, "b": {"c": "x"}}, {"a": None, "b": {"c": "y", "d": 1.5}, "e": [1]}]
    )
    assert schema["required"] == ["a", "b"]
    assert schema["properties"]["a"] == {"type": ["integer", "null"]}
    assert schema["properties"]["b"]["required"] == ["c"]
    assert schema["properties"]["e"] == {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize(("samples", "pattern"), [(19, None), (20, "^[0-9]{12}$")])
def test_digits_of_one_length_are_a_pattern_once_there_are_enough(samples: int, pattern: str | None) -> None:
    records = [{"so": f"{number:012}"} for number in range(samples)]
    assert inferred_contract("s", records)["properties"]["so"].get("pattern") == pattern


def test_no_values_are_repeated_in_the_contract() -> None:
    records = [{"ten": "Nguyễn Văn Kín", "gioi": "1"}] * 50
    assert "Kín" not in str(inferred_contract("s", records))
    assert "enum" not in str(inferred_contract("s", records))


@pytest.mark.parametrize("name", ["079099001234", "0790-9900-1234", "an@mail.example", "ten\nauth: {}"])
def test_a_name_that_is_data_or_breaks_a_line_is_not_written_down(name: str) -> None:
    records = [{"so": "1", "theoNguoi": {name: {"ten": "A"}}}] * 3
    schema = inferred_contract("s", records)
    assert schema["properties"]["theoNguoi"] == {"type": "object", "properties": {}}
    assert all(Draft202012Validator(schema).is_valid(record) for record in records)
