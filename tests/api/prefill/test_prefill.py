from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.share.agreements.permissions import today
from oncehub.store.connection import Connection

ID = "001084000999"
WHO = {"person.personal_id": ID}
HEAD = {"personal_id": "001060000111", "full_name": "Nguyễn Văn Bảy"}


def dispute(database: Connection, key: str, attribute: str, kind: str = "conflict") -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.discrepancy "
            "(person_key, attribute, source, stream, source_key, kind, stated_at) "
            "values (%s, %s, 'banking', 'accounts', '1', %s, now())",
            (key, attribute, kind),
        )


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    return believe(
        personal_id=ID,
        full_name="Nguyễn Thị An",
        birth_date="1984-05",
        household_head=HEAD,
        religion="01",
        phone="+84912345678",
        life_status="alive",
    )


def test_a_form_has_filled_and_missing_items(portal: Any, an: str) -> None:
    answer = portal.prefill("1.004222", WHO).json()
    assert answer["procedure"] == {
        "id": "1.004222",
        "code": "1.004222",
        "name": "Đăng ký thường trú",
        "owner": "BCA",
        "form": "CT01",
        "legal": ["Thông tư 116/2026/TT-BCA"],
        "on": today().isoformat(),
    }
    assert set(answer["items"]) == {"full_name", "birth_date", "personal_id", "household_head", "phone"}
    assert answer["items"]["household_head"] == {
        "title": "Họ, chữ đệm và tên, số định danh cá nhân của chủ hộ",
        "value": HEAD,
        "labels": None,
        "source": "population",
        "as_of": "2026-05-01T01:02:03+00:00",
        "confidence": {"level": "authority", "sources": 1, "weight": None},
        "confirm": True,
        "disputed": False,
    }
    assert answer["items"]["phone"]["source"] == "tax"
    assert answer["missing_items"]["email"] == {"title": "Email", "reason": "not_known", "question": None}
    assert answer["missing_items"]["dwelling_proof"]["reason"] == "citizen_provides"
    assert answer["missing_items"]["dwelling_proof"]["question"] == "Giấy tờ chứng minh chỗ ở hợp pháp"


def test_a_filled_code_comes_with_its_labels(admit: Callable[..., Any], believe: Callable[..., str]) -> None:
    coded = {"sex": "female", "ethnicity": "01", "nationality": "VN", "life_status": "alive"}
    believe(personal_id=ID, full_name="Nguyễn Thị An", birth_date="1984-05-07", **coded)
    items = admit("portal-essential").prefill("1.000894", WHO).json()["items"]
    assert {name: (item["value"], item["labels"]) for name, item in items.items() if item["labels"]} == {
        "sex": ("female", {"vi": "Nữ", "en": "Female"}),
        "ethnicity": ("01", {"vi": "Kinh", "en": "Kinh"}),
        "nationality": ("VN", {"vi": "Việt Nam", "en": "Vietnam"}),
    }


@pytest.mark.parametrize("agreement", ["portal-residence", "portal-identity", "portal-essential"])
def test_every_item_is_either_filled_or_asked(admit: Callable[..., Any], an: str, agreement: str) -> None:
    client = admit(agreement)
    hub = client.http.app.state.hub
    for code in hub.agreements[agreement].procedures:
        procedure = hub.procedures[code]
        answer = client.prefill(code, WHO).json()
        assert not set(answer["items"]) & set(answer["missing_items"])
        assert set(answer["items"]) | set(answer["missing_items"]) == set(procedure.items)


def test_the_log_names_the_attributes_that_filled_the_form(
    portal: Any, an: str, log: Any, editable: Settings
) -> None:
    portal.prefill("1.004222", WHO)
    person = person_pseudonym(pseudonym_key(editable.home), an)
    released = [
        "person.birth_date",
        "person.full_name",
        "person.household_head",
        "person.personal_id",
        "person.phone",
    ]
    assert log() == [(portal.client_id, "prefill", "1.004222", person, released, [], "answered")]


def test_items_outside_the_agreement_are_asked_and_their_values_stay(portal: Any, an: str) -> None:
    hub = portal.http.app.state.hub
    agreement = hub.agreements["portal-residence"]
    kept = tuple(name for name in agreement.attributes if name != "person.household_head")
    hub.agreements["portal-residence"] = agreement.model_copy(update={"attributes": kept})
    answer = portal.prefill("1.004222", WHO)
    assert answer.json()["missing_items"]["household_head"]["reason"] == "not_allowed"
    assert "Nguyễn Văn Bảy" not in answer.text
    assert "religion" not in answer.text
    assert "life_status" not in answer.text


def test_a_disputed_item_is_filled_from_the_register_and_missing_otherwise(
    portal: Any, an: str, database: Connection
) -> None:
    dispute(database, an, "birth_date")
    dispute(database, an, "phone")
    dispute(database, an, "full_name", kind="stale")
    answer = portal.prefill("1.004222", WHO).json()
    assert answer["items"]["birth_date"]["disputed"] is True
    assert answer["items"]["full_name"]["disputed"] is False
    assert answer["missing_items"]["phone"] == {
        "title": "Số điện thoại liên hệ",
        "reason": "conflicting",
        "question": None,
    }
    assert "+84912345678" not in str(answer)


def test_a_settled_dispute_is_no_dispute(portal: Any, an: str, database: Connection) -> None:
    dispute(database, an, "phone")
    with database, database.cursor() as cursor:
        cursor.execute("update truth.discrepancy set closed_at = now(), closed_because = 'corrected'")
    assert portal.prefill("1.004222", WHO).json()["items"]["phone"]["disputed"] is False


@pytest.mark.parametrize("status", ["deceased", "missing"])
def test_no_form_is_filled_for_a_person_not_recorded_as_living(
    portal: Any, believe: Callable[..., str], log: Any, status: str
) -> None:
    believe(personal_id=ID, full_name="Nguyễn Thị An", life_status=status)
    answer = portal.prefill("1.004222", WHO)
    assert answer.status_code == 409
    assert "Nguyễn" not in answer.text
    assert log()[0][3] is not None
    assert log()[0][4:] == (["person.life_status"], [], "refused")
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200


def test_procedures_outside_the_agreement_are_refused_alike(portal: Any, an: str, log: Any) -> None:
    answers = [portal.prefill(code, WHO) for code in ("1.004194", "9.999999", "001084000999")]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {
        (403, "the agreement does not cover this procedure")
    }
    assert [entry[2] for entry in log()] == ["1.004194", None, None]
    assert portal.prefill("..%2F..%2Fetc", WHO).status_code == 400


def test_an_agreement_without_procedures_fills_no_form(tax: Any, an: str, log: Any) -> None:
    answer = tax.prefill("1.004222", WHO)
    assert answer.status_code == 403
    assert log() == [(tax.client_id, "prefill", "1.004222", None, [], [], "refused")]


def test_a_procedure_without_a_form_in_force_today_is_refused(portal: Any, an: str) -> None:
    hub = portal.http.app.state.hub
    procedure = hub.procedures["1.004222"]
    hub.procedures["1.004222"] = procedure.model_copy(update={"forms": procedure.forms[1:]})
    assert portal.prefill("1.004222", WHO).status_code == 403


def test_no_person_found_is_a_404_that_is_logged(portal: Any, log: Any) -> None:
    assert portal.prefill("1.004222", WHO).status_code == 404
    assert log() == [(portal.client_id, "prefill", "1.004222", None, [], [], "not_found")]


def test_a_search_term_outside_the_agreement_is_refused(portal: Any, an: str) -> None:
    answer = portal.prefill("1.004222", {"person.national_id_9": "012345678"})
    assert (answer.status_code, answer.json()["refused"]) == (403, ["person.national_id_9"])


FORMER_FORM = """
forms:
  - {name: CT01, text: Thông tư 116/2026/TT-BCA, from: 2026-07-01}
  - {name: HK02, text: Thông tư 66/2023/TT-BCA, from: 2024-01-01, until: 2026-06-30}
"""


@pytest.fixture
def versioned(editable: Settings) -> Settings:
    """`editable` with a 1.004222 that asked for a fax until the end of June, and had another code in 2024."""
    path = editable.mappings / "procedures" / "1.004222.yaml"
    head, items = path.read_text("utf-8").split("forms:")[0], path.read_text("utf-8").split("items:")[1]
    former = 'former: [{code: "2.000042", until: 2024-12-31}]\n'
    fax = "\n  fax: {title: {vi: Fax}, ask: {vi: Số fax}, until: 2026-06-30}"
    items = items.replace("attribute: person.email", "attribute: person.email\n    from: 2026-07-01")
    path.write_text(f"{head}{former}{FORMER_FORM}items:{fax}{items}", "utf-8")
    return editable


def test_yesterdays_dossier_is_answered_by_yesterdays_form(versioned: Settings, portal: Any, an: str) -> None:
    now, then = (portal.prefill("1.004222", WHO, on=on).json() for on in ("2026-07-01", "2026-06-30"))
    assert (now["procedure"]["form"], now["procedure"]["legal"]) == ("CT01", ["Thông tư 116/2026/TT-BCA"])
    assert (then["procedure"]["form"], then["procedure"]["legal"]) == ("HK02", ["Thông tư 66/2023/TT-BCA"])
    assert then["procedure"]["on"] == "2026-06-30"
    every_now, every_then = ({*answer["items"], *answer["missing_items"]} for answer in (now, then))
    assert every_then - every_now == {"fax"}
    assert every_now - every_then == {"email"}


def test_a_former_code_answers_the_dossiers_of_its_days(
    versioned: Settings, portal: Any, an: str, log: Any
) -> None:
    then = portal.prefill("2.000042", WHO, on="2024-12-31")
    assert (then.status_code, then.json()["procedure"]["id"]) == (200, "1.004222")
    refused = portal.prefill("2.000042", WHO, on="2025-01-01")
    assert refused.status_code == 403
    assert "its code is 1.004222" in refused.json()["detail"]
    assert [(entry[2], entry[6]) for entry in log()] == [("1.004222", "answered"), ("1.004222", "refused")]


def test_a_dossier_has_a_day_on_which_there_was_a_form(
    versioned: Settings, portal: Any, an: str, log: Any
) -> None:
    tomorrow = (today() + timedelta(days=1)).isoformat()
    assert portal.prefill("1.004222", WHO, on=tomorrow).status_code == 422
    assert portal.prefill("1.004222", WHO, on="yesterday").status_code == 422
    assert log() == []
    refused = portal.prefill("1.004222", WHO, on="2023-12-31")
    assert refused.status_code == 403
    assert "no form of the procedure 1.004222 was in force on 2023-12-31" in refused.json()["detail"]
    assert [(entry[4], entry[6]) for entry in log()] == [([], "refused")]


def test_what_was_stated_too_long_ago_is_asked_anew(
    portal: Any, an: str, add_items: Callable[..., None]
) -> None:
    add_items("1.004222", old={"attribute": "person.phone", "max_age": "1d"})
    add_items("1.004222", young={"attribute": "person.phone", "max_age": "90y"})
    answer = portal.prefill("1.004222", WHO).json()
    assert answer["missing_items"]["old"] == {"title": "old", "reason": "too_old", "question": None}
    assert answer["items"]["young"]["value"] == "+84912345678"
