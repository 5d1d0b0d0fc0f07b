"""A first mapping is proposed by what fields are called elsewhere and by what they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from oncehub.authoring.inference import inferred_contract
from oncehub.authoring.proposal import Namesakes, mapping_text, plain_name, proposed
from oncehub.authoring.trial import Trial
from oncehub.config.mapping import StreamMapping
from oncehub.normalize.contract.contract import Contract
from oncehub.settings import load_settings

SETTINGS = load_settings()


@pytest.fixture(scope="module")
def namesakes() -> Namesakes:
    return Namesakes(SETTINGS)


def test_a_fields_name_is_known_however_it_is_written(namesakes: Namesakes) -> None:
    for name in ("hoTen", "HO_TEN", "Họ tên", "ho-ten"):
        found = proposed(namesakes, name, ["Nguyễn Văn A"])
        assert found is not None
        assert found.target == "person.full_name"
        assert found.by == "name"


def test_a_field_of_unknown_name_is_known_by_what_it_holds(namesakes: Namesakes) -> None:
    found = proposed(namesakes, "xyz", ["0912 345 678", "+84912345679"])
    assert found is not None
    assert (found.target, found.rule["via"], found.by) == ("person.phone", ["phone_vn"], "content")


def test_nothing_is_proposed_for_what_says_nothing(namesakes: Namesakes) -> None:
    assert proposed(namesakes, "xyz", ["a", "b"]) is None


@pytest.mark.parametrize(
    ("values", "forms"),
    [
        (["07/05/1984", "31/12/1990"], ["dd/MM/yyyy"]),
        (["07/05/1984", "1990", "05/1991"], ["dd/MM/yyyy", "MM/yyyy", "yyyy"]),
        (["12/31/1990", "02/03/1990"], ["M/d/yyyy"]),
        (["không rõ"], []),
    ],
)
def test_the_forms_of_dates_are_those_that_read_them(values: list[str], forms: list[str]) -> None:
    assert sorted(Trial(SETTINGS.mappings).fitting_forms(values, whole=False)) == sorted(forms)


def test_code_lists_that_may_mean_something_else_are_named(namesakes: Namesakes) -> None:
    found = proposed(namesakes, "gioiTinh", ["1", "1"])
    assert found is not None
    assert {found.rule["codes"], *found.rivals} >= {"sex_1_0", "sex_1_2"}


def samples(source: str, stream: str) -> Any:
    return json.loads((SETTINGS.connectors / source / "samples" / f"{stream}.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("source", "stream"), [("tax", "registrations"), ("portal", "accounts"), ("banking", "accounts")]
)
def test_a_proposed_mapping_is_a_mapping(source: str, stream: str) -> None:
    records = samples(source, stream)
    contract = Contract(inferred_contract("s", records))
    text = mapping_text("s", contract, Namesakes(SETTINGS, without=source), records, own=set())
    mapping = StreamMapping.model_validate(yaml.safe_load(text))
    assert "phone" in mapping.entities["person"].attributes
    assert not any(name in text for name in ("NGUYỄN", "Nguyễn", "0912"))


def test_a_stream_of_which_nothing_is_known_still_gets_a_mapping_to_edit() -> None:
    contract = Contract(inferred_contract("s", [{"q": "a"}]))
    text = mapping_text("s", contract, Namesakes(SETTINGS), [{"q": "a"}], own=set())
    StreamMapping.model_validate(yaml.safe_load(text))
    assert "# not mapped: q" in text


def test_names_are_compared_without_accents_case_and_separators() -> None:
    assert plain_name("Ngày_Sinh") == plain_name("ngaySinh") == "ngaysinh"
    assert plain_name("ĐịaChỉ") == "diachi"


def test_of_two_code_lists_the_one_that_knows_a_meaning_for_every_code_is_chosen(
    namesakes: Namesakes,
) -> None:
    found = proposed(namesakes, "gioiTinh", ["0", "1", "0"])
    assert found is not None
    assert found.rule["codes"] == "sex_1_0"
    assert "sex_1_2" in found.rivals


def test_lists_are_reported_as_not_mapped(namesakes: Namesakes) -> None:
    records = [{"hoTen": "Nguyễn Văn Mẫu", "thuaDat": ["33/737"]}]
    text = mapping_text("land", Contract(inferred_contract("land", records)), namesakes, records, own=set())
    assert "# not mapped: thuaDat (a list: see each and pick)" in text


def test_what_an_entity_requires_is_never_taken_from_just_any_field(namesakes: Namesakes) -> None:
    records = [{"xyz": "SDC1", "dienThoai": "0912345678"}]
    text = mapping_text("land", Contract(inferred_contract("land", records)), namesakes, records, own=set())
    assert "full_name: {from: choose_a_field}" in text
