"""Items about relatives: looked up with them, within the agreement, one step away, each on record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.share.access.database_access import build_database_access, encrypted_attributes
from oncehub.store.connection import Connection

CHILD, FATHER, GRANDFATHER = "001210000011", "001080000022", "001050000033"
WHO = {"person.personal_id": CHILD}
CODE = "1.004222"


@pytest.fixture
def father(believe: Callable[..., str]) -> str:
    return believe(
        personal_id=FATHER,
        full_name="Trần Văn Cha",
        birth_date="1980-02-03",
        phone="+84912000022",
        religion="01",
        father={"personal_id": GRANDFATHER, "full_name": "Trần Văn Ông"},
        life_status="alive",
    )


@pytest.fixture
def child(believe: Callable[..., str]) -> str:
    return believe(
        personal_id=CHILD,
        full_name="Trần Thị Con",
        father={"personal_id": FATHER, "full_name": "TRẦN VĂN CHA"},
        mother={"full_name": "Lê Thị Mẹ"},
        life_status="alive",
    )


@pytest.fixture
def form(portal: Any, add_items: Callable[..., None]) -> Any:
    """A client whose agreement covers the father and the mother, and a form that asks about them."""
    widen(portal, relatives=("father", "mother"))
    add_items(
        CODE,
        father_name={"of": "father", "attribute": "person.full_name"},
        father_birth_date={"of": "father", "attribute": "person.birth_date", "even_if_deceased": True},
        father_phone={"of": "father", "attribute": "person.phone", "confirm": True},
        father_ethnicity={"of": "father", "attribute": "person.ethnicity"},
        father_religion={"of": "father", "attribute": "person.religion"},
        mother_name={"of": "mother", "attribute": "person.full_name"},
        spouse_name={"of": "spouse", "attribute": "person.full_name"},
    )
    return portal


def widen(portal: Any, **changes: Any) -> None:
    hub = portal.http.app.state.hub
    hub.agreements["portal-residence"] = hub.agreements["portal-residence"].model_copy(update=changes)


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {name: item["reason"] for name, item in answer["missing_items"].items() if is_about(name)}


def is_about(name: str) -> bool:
    return name.startswith(("father_", "mother_", "spouse_"))


def test_a_relatives_items_are_what_is_believed_of_the_relative(form: Any, child: str, father: str) -> None:
    answer = form.prefill(CODE, WHO).json()
    filled = {name: item["value"] for name, item in answer["items"].items() if is_about(name)}
    assert filled == {
        "father_name": "Trần Văn Cha",
        "father_birth_date": "1980-02-03",
        "father_phone": "+84912000022",
    }
    assert answer["items"]["father_phone"]["source"] == "tax"
    assert answer["items"]["father_phone"]["confirm"] is True


def test_what_of_a_relative_is_asked_comes_with_its_reason(form: Any, child: str, father: str) -> None:
    assert reasons(form.prefill(CODE, WHO).json()) == {
        "father_ethnicity": "not_known",
        "father_religion": "not_allowed",
        "mother_name": "relative_unknown",
        "spouse_name": "not_allowed",
    }


def test_each_person_consulted_has_a_line_of_the_log_with_what_left_of_them(
    form: Any, child: str, father: str, log: Any, editable: Settings
) -> None:
    form.prefill(CODE, WHO)
    key = pseudonym_key(editable.home)
    assert [(entry[3], entry[4], entry[6]) for entry in log()] == [
        (
            person_pseudonym(key, child),
            ["person.father", "person.full_name", "person.personal_id"],
            "answered",
        ),
        (
            person_pseudonym(key, father),
            ["person.birth_date", "person.full_name", "person.phone"],
            "answered",
        ),
    ]


def test_a_relative_who_is_the_person_has_one_line(
    form: Any,
    believe: Callable[..., str],
    add_items: Callable[..., None],
    log: Any,
    editable: Settings,
    database: Connection,
) -> None:
    widen(form, relatives=("household_head",))
    agreements = form.http.app.state.hub.agreements
    build_database_access(database, agreements, encrypted_attributes(editable))
    add_items(CODE, head_birth_date={"of": "household_head", "attribute": "person.birth_date"})
    head = {"personal_id": CHILD, "full_name": "Trần Thị Con"}
    believe(personal_id=CHILD, full_name="Trần Thị Con", birth_date="1990-01-01", household_head=head)
    assert form.prefill(CODE, WHO).json()["items"]["head_birth_date"]["value"] == "1990-01-01"
    (line,) = log()
    assert line[4] == ["person.birth_date", "person.full_name", "person.household_head", "person.personal_id"]


def test_without_the_relation_in_the_agreement_no_relative_is_consulted(
    form: Any, child: str, father: str, log: Any
) -> None:
    widen(form, relatives=())
    answer = form.prefill(CODE, WHO)
    assert set(reasons(answer.json()).values()) == {"not_allowed"}
    assert "+84912000022" not in answer.text
    assert len(log()) == 1


def test_without_the_relationship_in_the_agreement_no_relative_is_consulted(
    form: Any, child: str, father: str, log: Any
) -> None:
    attributes = form.http.app.state.hub.agreements["portal-residence"].attributes
    widen(form, attributes=tuple(name for name in attributes if name != "person.father"))
    answer = form.prefill(CODE, WHO)
    assert reasons(answer.json())["father_name"] == "not_allowed"
    assert "Trần Văn Cha" not in answer.text
    assert len(log()) == 1


def test_a_dead_relatives_items_are_asked_but_those_that_the_form_wants_even_then(
    form: Any, child: str, believe: Callable[..., str], log: Any
) -> None:
    believe(personal_id=FATHER, full_name="Trần Văn Cha", birth_date="1980-02-03", life_status="deceased")
    answer = form.prefill(CODE, WHO).json()
    assert answer["items"]["father_birth_date"]["value"] == "1980-02-03"
    assert reasons(answer)["father_name"] == "relative_not_living"
    assert log()[1][4] == ["person.birth_date", "person.life_status"]


def test_a_relationship_to_an_unknown_person_fills_nothing(form: Any, child: str, log: Any) -> None:
    assert reasons(form.prefill(CODE, WHO).json())["father_name"] == "relative_unknown"
    assert len(log()) == 1


def test_a_tie_that_sources_disagree_on_leads_nowhere(
    form: Any, child: str, father: str, database: Any, disagree: Callable[..., int], log: Any
) -> None:
    disagree(child, "father")
    assert form.prefill(CODE, WHO).json()["items"]["father_name"]["value"] == "Trần Văn Cha"
    with database, database.cursor() as cursor:
        cursor.execute(
            "update truth.person set provenance = provenance || %s", ['{"father": {"rule": "trust"}}']
        )
    assert reasons(form.prefill(CODE, WHO).json())["father_name"] == "conflicting"
    assert len(log()) == 3


def test_relatives_of_relatives_are_out_of_reach(
    form: Any, child: str, father: str, believe: Callable[..., str]
) -> None:
    believe(personal_id=GRANDFATHER, full_name="Trần Văn Ông", birth_date="1950-01-01", life_status="alive")
    answer = form.prefill(CODE, WHO)
    assert "1950-01-01" not in answer.text
    assert GRANDFATHER not in answer.text


def test_nothing_of_a_form_reaches_a_log(
    form: Any, child: str, father: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert form.prefill(CODE, WHO).status_code == 200
        assert form.prefill(CODE, WHO, on="2001-01-01").status_code == 403
        assert form.prefill(CODE, {"person.personal_id": GRANDFATHER}).status_code == 404
    held = (CHILD, FATHER, GRANDFATHER, "Trần", "1980-02-03", "912000022", child, father)
    assert not any(text in caplog.text for text in held)


def test_no_person_is_consulted_for_a_form_that_is_refused(
    form: Any, believe: Callable[..., str], father: str, log: Any
) -> None:
    tie = {"personal_id": FATHER, "full_name": "Trần Văn Cha"}
    believe(personal_id=CHILD, full_name="Trần Thị Con", father=tie, life_status="deceased")
    assert form.prefill(CODE, WHO).status_code == 409
    (line,) = log()
    assert line[4] == ["person.life_status"]
