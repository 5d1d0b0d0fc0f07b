from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection

ID = "001084000999"
WHO = {"person.personal_id": ID}
NOBODY = {"person.personal_id": "001084000111"}
NAME = ["person.full_name"]
DIGEST = "a" * 64


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    return believe(personal_id=ID, full_name="Nguyễn Thị An", phone="+84912345678", nationality="VN")


@pytest.fixture
def bank(admit: Callable[..., Any]) -> Any:
    return admit("bank-accounts")


def acting(agency: Any, path: str, body: dict[str, Any], citizen: str, officer: str | None = None) -> Any:
    """Ask as a citizen whom their provider proves, or at a counter by an officer who is proven as well."""
    if officer is not None:
        return agency.http.post(path, json=body, headers=agency.as_officer(officer, proven=True))
    return agency.http.post(path, json=agency.proving(citizen, path, body), headers=agency.headers())


def consenting(
    agency: Any, attributes: list[str], citizen: str = ID, officer: str | None = None, **changes: Any
) -> Any:
    body = {
        "search": WHO,
        "agreement": "bank-accounts",
        "purpose": "dpv:IdentityVerification",
        "attributes": attributes,
        "text": {"version": "2026-01", "sha256": DIGEST},
        "given_at": datetime.now(UTC).isoformat(),
        "proof": {"channel": "vneid", "reference": f"VNEID-{uuid.uuid4()}"},
    }
    return acting(agency, "/v1/consents", body | changes, citizen, officer)


def withdrawing(agency: Any, consent: str, citizen: str = ID, **changes: Any) -> Any:
    body = {
        "withdrawn_at": datetime.now(UTC).isoformat(),
        "proof": {"channel": "vneid", "reference": f"VNEID-{uuid.uuid4()}"},
    }
    return acting(agency, f"/v1/consents/{consent}/withdrawal", body | changes, citizen)


def shown(agency: Any, search: dict[str, str] = WHO) -> Any:
    return acting(agency, "/v1/consents/query", {"search": search}, ID)


def told(answer: Any) -> tuple[Any, ...]:
    """What an answer tells, but for the request's own number."""
    content = answer.json()
    content.pop("instance", None)
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, content, headers


def test_a_person_without_consent_is_answered_exactly_as_an_unknown_one(bank: Any, an: str) -> None:
    assert told(bank.lookup(WHO, NAME)) == told(bank.lookup(NOBODY, NAME))
    assert bank.lookup(WHO, NAME).status_code == 404


def test_the_log_knows_for_whom_consent_was_wanting(
    bank: Any, an: str, editable: Settings, database: Connection
) -> None:
    bank.lookup(WHO, NAME)
    bank.lookup(NOBODY, NAME)
    with database.cursor() as cursor:
        cursor.execute(
            "select person, outcome, withheld from audit.entry where action <> 'refusals' order by entry_id"
        )
        lines = cursor.fetchall()
    person = person_pseudonym(pseudonym_key(editable.home), an)
    assert lines == [(person, "refused", "consent"), (None, "not_found", None)]


def test_what_is_consented_to_is_answered_and_nothing_else(portal: Any, bank: Any, an: str) -> None:
    assert consenting(portal, ["person.full_name", "person.nationality"]).status_code == 201
    answer = bank.lookup(WHO, ["person.nationality", "person.full_name"])
    assert answer.json()["attributes"]["person.full_name"]["value"] == "Nguyễn Thị An"
    assert told(bank.lookup(WHO, ["person.full_name", "person.phone"])) == told(bank.lookup(NOBODY, NAME))


def test_a_withdrawal_holds_from_its_answer_on_and_is_due_at_the_agency(
    portal: Any, bank: Any, an: str, database: Connection
) -> None:
    consent = consenting(portal, NAME).json()["consent"]
    assert bank.lookup(WHO, NAME).status_code == 200
    answer = withdrawing(portal, consent)
    assert answer.status_code == 200
    assert bank.lookup(WHO, NAME).status_code == 404
    with database.cursor() as cursor:
        cursor.execute("select kind, consent_id::text, due_on, answer_by, agreement from share.request")
        (request,) = cursor.fetchall()
    assert (request[0], request[1], request[4]) == ("withdrawal", consent, "bank-accounts")
    assert (request[2].isoformat(), request[3].isoformat()) == (
        answer.json()["due_on"],
        answer.json()["answer_by"],
    )


def test_recording_and_withdrawing_twice_changes_nothing(portal: Any, an: str, database: Connection) -> None:
    proof = {"channel": "portal", "reference": "G01-20260603-0001"}
    first, again = (consenting(portal, NAME, proof=proof).json()["consent"] for _ in range(2))
    assert first == again
    other = consenting(portal, ["person.phone"], proof=proof)
    assert (other.status_code, "another consent" in other.json()["detail"]) == (409, True)
    one, two = (withdrawing(portal, first).json() for _ in range(2))
    assert one["withdrawn_at"] == two["withdrawn_at"]
    with database.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from share.consent), (select count(*) from share.consent_withdrawal), "
            "(select count(*) from share.request)"
        )
        assert cursor.fetchone() == (1, 1, 1)


def test_a_consent_names_every_attribute_and_the_purpose(portal: Any, an: str) -> None:
    for attributes, status in (([], 422), (["*"], 422), (["person.religion"], 403), (["person.father"], 403)):
        assert consenting(portal, attributes).status_code == status
    assert consenting(portal, NAME, purpose="dpv:Marketing").status_code == 409
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert consenting(portal, NAME, given_at=later).status_code == 409
    assert consenting(portal, NAME, proof={"channel": "vneid", "reference": ID}).status_code == 422
    assert consenting(portal, NAME, "001084000111", search=NOBODY).status_code == 404


def test_a_citizen_acts_for_themselves_alone(
    portal: Any, an: str, believe: Callable[..., str], database: Connection
) -> None:
    believe(personal_id="001084000222", full_name="Lê Văn Bình")
    other = "001084000222"
    consent = consenting(portal, NAME).json()["consent"]
    assert consenting(portal, NAME, other).status_code == 403
    assert withdrawing(portal, consent, other).status_code == 404
    assert shown(portal, {"person.personal_id": "001084000222"}).status_code == 403
    body = {"search": WHO}
    assert portal.http.post("/v1/consents/query", json=body, headers=portal.headers()).status_code == 403
    with database.cursor() as cursor:
        cursor.execute("select count(*) from share.consent_withdrawal")
        assert cursor.fetchone() == (0,)


def test_at_a_counter_an_officer_takes_it_down(portal: Any, an: str, database: Connection) -> None:
    proof = {"channel": "counter", "reference": "H26.12-260603-0001"}
    assert consenting(portal, NAME, proof=proof).status_code == 403
    assert consenting(portal, NAME, officer="can-bo-7", proof=proof).status_code == 201
    assert consenting(portal, NAME, officer="can-bo-7").status_code == 403
    with database.cursor() as cursor:
        cursor.execute("select officer, recorded_by, vouched_by from share.consent")
        assert cursor.fetchone() == ("can-bo-7", portal.client_id, "officer")


def test_only_who_records_for_an_agreement_records_shows_and_withdraws(
    portal: Any, bank: Any, tax: Any, an: str
) -> None:
    consent = consenting(portal, NAME).json()["consent"]
    for other in (bank, tax):
        assert consenting(other, NAME).status_code == 403
        assert withdrawing(other, consent).status_code == 403
        assert shown(other).status_code == 403
    assert told(consenting(portal, NAME, agreement="tax-registration")) == told(
        consenting(portal, NAME, agreement="no-such-agreement")
    )
    assert withdrawing(portal, str(uuid.uuid4())).status_code == 404
    assert bank.lookup(WHO, NAME).status_code == 200


def test_a_citizen_sees_what_they_have_consented_to(portal: Any, an: str) -> None:
    consent = consenting(portal, NAME).json()["consent"]
    withdrawing(portal, consent)
    (line,) = shown(portal).json()["consents"]
    assert (line["consent"], line["agreement"], line["attributes"]) == (consent, "bank-accounts", NAME)
    assert line["withdrawn_at"]


def test_a_withdrawal_removes_the_person_from_what_the_bank_reads(
    portal: Any, bank: Any, an: str, editable: Settings, database: Connection
) -> None:
    def lines() -> list[tuple[str, dict[str, Any]]]:
        publish(editable, "bank_customers", database)
        found = bank.changes("bank_customers").json()["changes"]
        return [(line["kind"], line["values"]) for line in found]

    assert lines() == []
    consent = consenting(portal, ["person.full_name", "person.phone"]).json()["consent"]
    values = {"person.full_name": "Nguyễn Thị An", "person.phone": "+84912345678"}
    assert lines() == [("created", values)]
    withdrawing(portal, consent)
    # Before it is published too: what was published is not given out any more.
    before = bank.changes("bank_customers").json()["changes"]
    assert [(line["kind"], line["values"]) for line in before] == [("removed", {})]
    assert lines() == [("removed", {}), ("removed", {})]


def test_no_line_of_the_programs_log_names_anybody(
    portal: Any, bank: Any, an: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        consent = consenting(portal, NAME).json()["consent"]
        bank.lookup(WHO, NAME)
        withdrawing(portal, consent)
        bank.lookup(WHO, ["person.phone"])
    assert ID not in caplog.text
    assert "Nguyễn" not in caplog.text
    assert an not in caplog.text
