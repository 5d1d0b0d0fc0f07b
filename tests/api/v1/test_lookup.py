from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.store.connection import Connection

ID = "001084000999"
WHO = {"person.personal_id": ID}
ADDRESS = {"unit": "00004", "edition": "2025-07-01", "detail": "12 Hàng Bài"}

Log = Callable[[], list[tuple[Any, ...]]]


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    return believe(
        personal_id=ID,
        full_name="Nguyễn Thị An",
        religion="01",
        permanent_address=ADDRESS,
        phone="+84912345678",
        tax_code="0100233488",
    )


def test_what_the_agreement_covers_is_answered_with_its_source_and_logged(
    portal: Any, an: str, log: Log, editable: Settings
) -> None:
    answer = portal.lookup(WHO, ["person.full_name", "person.permanent_address", "person.email"])
    assert answer.status_code == 200
    assert answer.json()["attributes"] == {
        "person.full_name": {
            "value": "Nguyễn Thị An",
            "labels": None,
            "source": "population",
            "as_of": "2026-05-01T01:02:03+00:00",
        },
        "person.permanent_address": {
            "value": ADDRESS,
            "labels": {"vi": "Phường Ba Đình, Thành phố Hà Nội", "en": "Ba Đình Ward, Hà Nội City"},
            "source": "population",
            "as_of": "2026-05-01T01:02:03+00:00",
        },
        "person.email": {"value": None, "labels": None, "source": None, "as_of": None},
    }
    person = person_pseudonym(pseudonym_key(editable.home), an)
    wanted = ["person.full_name", "person.permanent_address", "person.email"]
    assert log() == [(portal.client_id, "lookup", None, person, wanted, [], "answered")]


def test_a_code_is_answered_with_its_labels(admit: Callable[..., Any], believe: Callable[..., str]) -> None:
    coded = {"sex": "female", "ethnicity": "01"}
    believe(personal_id=ID, full_name="Nguyễn Thị An", permanent_address=ADDRESS, **coded)
    answer = admit("hanoi-one-stop").lookup(WHO, ["person.sex", "person.ethnicity"]).json()["attributes"]
    assert {name: (each["value"], each["labels"]) for name, each in answer.items()} == {
        "person.sex": ("female", {"vi": "Nữ", "en": "Female"}),
        "person.ethnicity": ("01", {"vi": "Kinh", "en": "Kinh"}),
    }


def test_the_log_names_the_right_and_the_request(portal: Any, an: str, database: Connection) -> None:
    answer = portal.lookup(WHO, ["person.full_name"])
    with database.cursor() as cursor:
        cursor.execute(
            "select agency, agreement, purpose, legal_basis, request_id::text from audit.entry "
            "where action = 'lookup'"
        )
        row = cursor.fetchone()
    assert row == (
        "G01",
        "portal-residence",
        "dpv:RequestedServiceProvision",
        "Luật 91/2025/QH15, Điều 19 khoản 1 điểm c",
        answer.json()["request_id"],
    )
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_attributes_outside_the_agreement_are_named_and_nothing_leaves(
    portal: Any, an: str, log: Log
) -> None:
    wanted = ["person.religion", "person.full_name", "person.blood_type"]
    answer = portal.lookup(WHO, wanted)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["refused"] == ["person.blood_type", "person.religion"]
    assert "Nguyễn" not in answer.text
    refused = ["person.blood_type", "person.religion"]
    assert log() == [(portal.client_id, "lookup", None, None, wanted, refused, "refused")]


def test_attributes_of_other_entities_are_refused_too(portal: Any, an: str) -> None:
    answer = portal.lookup(WHO, ["bank_account.account_number"])
    assert (answer.status_code, answer.json()["refused"]) == (403, ["bank_account.account_number"])


def test_searching_by_what_the_agreement_does_not_allow_is_refused(portal: Any, an: str, log: Log) -> None:
    # An answer to this would confirm whose number it is.
    answer = portal.lookup({"person.phone": "+84912345678"}, ["person.full_name"])
    assert (answer.status_code, answer.json()["refused"]) == (403, ["person.phone"])
    both = portal.lookup(WHO | {"person.tax_code": "0100233488"}, ["person.full_name"])
    assert (both.status_code, both.json()["refused"]) == (403, ["person.tax_code"])
    assert [entry[-1] for entry in log()] == ["refused", "refused"]


def test_another_purpose_than_the_agreements_is_refused(portal: Any, an: str) -> None:
    assert portal.lookup(WHO, ["person.sex"], purpose="dpv:Marketing").status_code == 403
    assert portal.lookup(WHO, ["person.sex"], purpose="dpv:RequestedServiceProvision").status_code == 200


def test_a_former_number_leads_to_its_person_unless_another_holds_it_now(
    portal: Any, believe: Callable[..., str]
) -> None:
    believe(personal_id="001184000002", full_name="Lê Thị Bình", former=["001184000001", "001184000003"])
    believe(personal_id="001184000003", full_name="Trần Văn Cường")

    def name(number: str) -> Any:
        answer = portal.lookup({"person.personal_id": number}, ["person.full_name"])
        return answer.json()["attributes"]["person.full_name"]["value"]

    assert name("001184000001") == "Lê Thị Bình"
    assert name("001184000003") == "Trần Văn Cường"


def test_a_contested_number_leads_to_no_person(portal: Any, believe: Callable[..., str], log: Log) -> None:
    believe(personal_id="001184000001", full_name="Lê Thị Bình", contested=True)
    believe(personal_id="001184000002", former=["001184000001"], contested=True)
    answer = portal.lookup({"person.personal_id": "001184000001"}, ["person.full_name"])
    assert answer.status_code == 404
    assert log() == [(portal.client_id, "lookup", None, None, ["person.full_name"], [], "not_found")]


def test_any_form_of_the_tax_code_leads_to_its_holder(tax: Any, an: str) -> None:
    for code in ("0100233488", "0100233488-001", ID):
        answer = tax.lookup({"person.tax_code": code}, ["person.full_name"])
        assert answer.json()["attributes"]["person.full_name"]["value"] == "Nguyễn Thị An"


def test_search_terms_must_lead_to_the_same_person(tax: Any, an: str, believe: Callable[..., str]) -> None:
    believe(personal_id="001184000002", full_name="Lê Thị Bình")
    match = tax.lookup(WHO | {"person.tax_code": "0100233488"}, ["person.sex"])
    assert match.status_code == 200
    clash = tax.lookup(
        {"person.personal_id": "001184000002", "person.tax_code": "0100233488"}, ["person.sex"]
    )
    assert clash.status_code == 404


def test_a_request_without_the_right_form_is_a_422_that_repeats_nothing(portal: Any, an: str) -> None:
    bodies: list[Any] = [
        {"search": WHO, "attributes": []},
        {"search": {}, "attributes": ["person.sex"]},
        {"search": WHO, "attributes": ["person.sentinel_001084000999"]},
        {"search": {"person.sentinel_001084000999": ID}, "attributes": ["person.sex"]},
        {"search": {"001084000999": "x"}, "attributes": ["person.sex"]},
        {"search": {"person.personal_id": "Sentinel Nguyễn"}, "attributes": ["person.sex"]},
        {"search": {"person.personal_id": f"{ID}\n"}, "attributes": ["person.sex"]},
        {"search": {"person.personal_id": int(ID)}, "attributes": ["person.sex"]},
        {"search": WHO, "attributes": ["person.sex"], "sentinel_001084000999": "x"},
        {"search": WHO},
        [ID],
    ]
    for body in bodies:
        answer = portal.http.post("/v1/persons/lookup", json=body, headers=portal.headers())
        assert answer.status_code == 422, body
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]
        assert ID not in answer.text
        assert "entinel" not in answer.text


def test_a_slip_in_a_name_is_answered_with_the_name_that_was_meant(portal: Any) -> None:
    answer = portal.lookup(WHO, ["person.sex", "person.ful_name"])
    assert answer.json()["errors"] == [
        {"pointer": "#/attributes/1", "detail": "is not a known attribute; did you mean person.full_name?"}
    ]


def test_an_expired_agreement_is_refused_and_logged(
    editable: Settings, portal: Any, an: str, log: Log
) -> None:
    hub = portal.http.app.state.hub
    agreement = hub.agreements["portal-residence"]
    past = agreement.valid.model_copy(update={"until": agreement.valid.since})
    hub.agreements["portal-residence"] = agreement.model_copy(update={"valid": past})
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 403
    assert portal.changes("residence").status_code == 403
    assert portal.prefill("1.004222", WHO).status_code == 403
    assert [entry[-1] for entry in log()] == ["refused"] * 3
    mine = portal.http.get("/v1/agreements/mine", headers=portal.headers())
    assert mine.json()["in_force"] is False


def test_when_the_entry_cannot_be_written_no_answer_leaves(
    portal: Any, an: str, database: Connection, log: Log
) -> None:
    portal.token()
    with database, database.cursor() as cursor:
        cursor.execute("revoke execute on function share.ask from oncehub_api")
    answer = portal.lookup(WHO, ["person.full_name"])
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Nguyễn" not in answer.text
    assert log() == []


def test_asking_for_everything_is_answered_with_what_to_ask_for(portal: Any, an: str) -> None:
    every = [name for name in portal.http.app.state.hub.attributes if name.startswith("person.")]
    for wanted in (["*"], every, ["person.full_name", "*"]):
        answer = portal.lookup(WHO, wanted)
        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert "requests everything; list the attributes that are needed" in fault["detail"]


def test_an_agency_sees_what_it_may_ask_and_how_often_still(portal: Any, an: str) -> None:
    def mine() -> Any:
        return portal.http.get("/v1/agreements/mine", headers=portal.headers()).json()

    before = mine()
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200
    after = mine()
    assert before["remaining_today"] - after["remaining_today"] == 1
    assert (after["in_force"], after["needs_consent"]) == (True, False)
    assert after["valid_until"] == after["agreement"]["valid"]["until"]
    assert "person.full_name" in after["agreement"]["attributes"]
