"""What a screen shows of a record tells its form and nothing of what it says."""

from __future__ import annotations

import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.anonymisation.anonymiser import masked, masked_text
from oncehub.anonymisation.non_personal_fields import shown_fields
from oncehub.authoring.inference import inferred_contract
from oncehub.config.catalogue import load_connector
from oncehub.config.mapping import StreamMapping
from oncehub.normalize.contract.contract import load_contract
from oncehub.settings import load_settings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


@given(JSON)
def test_a_masked_value_has_the_same_shape_and_none_of_the_letters(value: Any) -> None:
    for before, after in zip(leaves(value), leaves(masked(value)), strict=True):
        assert type(after) is type(before)
        if isinstance(before, str):
            assert len(after) == len(before)
            assert all(letter in "xX9" for letter in after if unicodedata.category(letter)[0] in "LMN")


def test_what_lies_deeper_than_a_record_has_reason_to_ends_no_command() -> None:
    deep: Any = "Lan"
    for _ in range(5000):
        deep = [deep]
    assert "Lan" not in str(masked(deep))
    assert "Lan" not in str(inferred_contract("s", [{"a": deep}]))


def test_form_case_and_punctuation_stay() -> None:
    assert masked_text("Bà Lan, 0912-345") == "Xx Xxx, 9999-999"


def test_codes_marks_and_times_are_shown_and_names_are_not() -> None:
    settings = load_settings()
    within = "sources/tax/registrations"
    shown = shown_fields(
        load_connector(settings, "tax").streams["registrations"],
        StreamMapping.load(settings.mappings / f"{within}.yaml"),
        load_contract(settings.schemas / f"{within}.json"),
    )
    assert {"gioiTinh", "trangThai", "ngayCapNhat"} <= shown
    assert not {"hoTen", "mst", "soDinhDanh", "ngaySinh", "dienThoai", "diaChi.chiTiet"} & shown
    record = {"hoTen": "LÊ A", "gioiTinh": "0", "diaChi": {"chiTiet": "1 Phố"}}
    assert masked(record, shown) == {"hoTen": "XX X", "gioiTinh": "0", "diaChi": {"chiTiet": "9 Xxx"}}


def test_a_field_called_by_somebodys_number_is_masked_too() -> None:
    assert masked({"001084000999": True, "line2": True}) == {"999999999999": True, "line2": True}


def test_a_field_called_by_somebodys_address_is_masked_too() -> None:
    assert masked({"an.nguyen@mail.example": True, "@id": True}) == {
        "xx.xxxxxx@xxxx.xxxxxxx": True,
        "@id": True,
    }


def test_a_letter_that_an_old_encoding_shows_as_a_sign_is_masked() -> None:
    assert masked_text("NguyÔn V¨n ¸n") == "XxxxXx Xxx xx"


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63)])
def test_the_longest_number_of_json_is_masked_to_one_that_can_be_printed(number: int) -> None:
    assert orjson.loads(orjson.dumps(masked({"so": number}))) != {"so": number}
