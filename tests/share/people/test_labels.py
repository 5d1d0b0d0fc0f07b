"""Labels of coded values: what a citizen reads on a form instead of a code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from oncehub.config.entities import load_entities
from oncehub.errors import ConfigError, SubmissionInvalid
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.forms.prefill import FormRequest, prefill
from oncehub.share.forms.submission_answers import Answer, Answers
from oncehub.share.forms.submissions import OpenForm
from oncehub.share.people.confidence import load_confidence_rules
from oncehub.share.people.labels import load_labels
from oncehub.share.people.lookup import Person
from oncehub.store.connection import Connection
from tests.api.asking import open_form

ROOT = Settings(root=Path(__file__).resolve().parents[3], home=Path("none"), database_url=None)
HEAD, CHILD = "001184000001", "001184000002"
ADDRESS = {"unit": "00004", "edition": "2025-07-01", "detail": "1 Phố Mẫu"}
FORMER = {"unit": "00001", "edition": "2024-12-01", "detail": "1 Phố Mẫu"}
CODED = {
    "sex": ("female", "Nữ", "Female"),
    "ethnicity": ("01", "Kinh", "Kinh"),
    "religion": ("99", "Không hoặc khác", "None or other"),
    "nationality": ("VN", "Việt Nam", "Vietnam"),
    "blood_type": ("AB", "AB", "AB"),
    "marital_status": ("married", "Đang có vợ/chồng", "Married"),
    "relation_to_head": ("other", "Khác", "Other"),
    "life_status": ("alive", "Còn sống", "Alive"),
}
OTHER = {"vi": "Khác", "en": "Other"}
PLACES = ("birth_place", "hometown", "permanent_address", "temporary_address", "current_address")


@pytest.mark.parametrize(("attribute", "value", "vi", "en"), [(name, *rest) for name, rest in CODED.items()])
def test_a_code_has_a_label_in_both_languages(attribute: str, value: str, vi: str, en: str) -> None:
    assert load_labels(ROOT).of(f"person.{attribute}", value) == {"vi": vi, "en": en}


def test_every_coded_attribute_of_a_person_is_tried_here() -> None:
    person = load_entities(ROOT.schemas)["person"]
    assert {name for name, attribute in person.attributes.items() if attribute.coded} == set(CODED)


@pytest.mark.parametrize(
    ("address", "label"),
    [
        (ADDRESS, {"vi": "Phường Ba Đình, Thành phố Hà Nội", "en": "Ba Đình Ward, Hà Nội City"}),
        (
            FORMER,
            {
                "vi": "Phường Phúc Xá, Quận Ba Đình, Thành phố Hà Nội",
                "en": "Phúc Xá Ward, Ba Đình District, Hà Nội City",
            },
        ),
        (ADDRESS | {"unit": "99999"}, None),
        (ADDRESS | {"edition": None}, None),
    ],
)
def test_an_address_is_called_by_the_catalogue_that_codes_it(
    address: dict[str, str | None], label: dict[str, str] | None
) -> None:
    assert load_labels(ROOT).of("person.permanent_address", address) == label


def test_what_is_no_code_has_no_label() -> None:
    labels = load_labels(ROOT)
    assert labels.of("person.full_name", "Nguyễn Thị An") is None
    assert labels.of("person.father", {"personal_id": HEAD, "full_name": "Nguyễn Văn Bảy"}) is None
    assert labels.of("person.ethnicity", "77") is None
    assert labels.of("person.sex", None) is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "sex,other,Khác,Other\n",
            "",
            "labels.csv: person.sex: other has no label; add a line",
        ),
        ("sex,other,Khác,Other", "sex,other,,Other", "labels.csv:4: 'other' of sex lacks a label"),
        ("sex,other", "sex,othr", "labels.csv:4: code: 'othr' is no value of sex; write one of male, female"),
        ("sex,other", "sexes,other", "labels.csv:4: attribute: 'sexes' is no coded attribute of person"),
        ("sex,other", "sex,male", "labels.csv:4: code: 'male' of sex is repeated; keep one"),
        ("religion,", "sex,", "labels.csv: person.religion is coded and has no labels; add lines"),
        ("attribute,code,vi,en", "attribute,code,vi", "labels.csv:1: lacks the column en"),
    ],
)
def test_a_coded_attribute_without_labels_is_a_fault(tmp_path: Path, old: str, new: str, fault: str) -> None:
    (tmp_path / "schemas").symlink_to(ROOT.schemas)
    shutil.copytree(ROOT.mappings / "codes", tmp_path / "mappings" / "codes")
    path = tmp_path / "mappings" / "codes" / "labels.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_labels(replace(ROOT, root=tmp_path))
    assert fault in str(caught.value)


def test_the_forms_of_all_procedures_are_filled_with_labels(
    settings: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    head = {"personal_id": HEAD, "full_name": "Nguyễn Văn Bảy"}
    held: dict[str, Any] = {name: code for name, (code, _, _) in CODED.items()}
    held |= dict.fromkeys(PLACES, ADDRESS) | {"household_head": head, "spouse": head}
    for number in (HEAD, CHILD):
        believe(personal_id=number, full_name="Nguyễn Thị An", birth_date="1984-05-07", **held)
    procedures, labels = load_procedures(settings), load_labels(settings)
    rules = load_confidence_rules(settings)
    agreements = load_agreements(settings)
    person = load_entities(settings.schemas)["person"]
    tried: set[str] = set()
    listed = 0
    for agreement in agreements.values():
        for code in () if agreement.needs_consent else agreement.procedures:
            asked = FormRequest(procedures[code], today(), agreement)
            with database:
                opened = open_form(settings, database, asked, {"person.personal_id": CHILD})
                assert isinstance(opened.person, Person)
                form = prefill(database, opened, asked, rules, labels)
            tried.add(code)
            for name, filled in form.items.items():
                item = asked.fields[name]
                if item.attributes:
                    listed += 1
                    assert filled.labels == [
                        {"relation_to_head": OTHER} if "relation_to_head" in each else {}
                        for each in filled.value
                    ]
                    continue
                attribute = (item.attribute or "").removeprefix("person.")
                if attribute in CODED:
                    assert (filled.value, filled.labels) == (
                        CODED[attribute][0],
                        dict(zip(("vi", "en"), CODED[attribute][1:], strict=True)),
                    )
                elif "unit" in person.attributes[attribute].members:
                    assert filled.labels == {
                        "vi": "Phường Ba Đình, Thành phố Hà Nội",
                        "en": "Ba Đình Ward, Hà Nội City",
                    }
                else:
                    assert filled.labels is None
    assert len(tried) == len(procedures) == 25
    assert listed > 0


def test_a_form_is_answered_with_the_value_and_not_with_its_label(settings: Settings) -> None:
    procedure = load_procedures(settings)["1.004222"]
    form = OpenForm("1.004222", "p", today(), (), {"relation_to_head": None}, (), timedelta(), None)

    def answered(value: str) -> Answers:
        items, covered = procedure.items_on(today()), ("person.relation_to_head",)
        person = load_entities(settings.schemas)["person"]
        given = {"relation_to_head": Answer("corrected", value)}
        return Answers(form, items, covered=covered, person=person, given=given, most_members=50)

    answered("child").require_fitting()
    with pytest.raises(SubmissionInvalid):
        answered("Con").require_fitting()
