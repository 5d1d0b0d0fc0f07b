"""A citizen says that a value is wrong, clerks decide, the source is told, and the citizen sees it all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.clock import VIETNAM
from oncehub.settings import Settings
from oncehub.share.corrections.progress import correction_progress
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.store.connection import Connection

AN, BINH = "001084000999", "001090000002"
AN_IS = {"personal_id": AN, "full_name": "Nguyễn Thị An", "phone": "+84912345678", "email": "an@example.vn"}
RIGHT = "+84987654321"
WHY = "Số cũ đã trả lại nhà mạng"
PATH, STATUS = "/v1/persons/corrections", "/v1/persons/corrections/status"


@pytest.fixture
def http(editable: Settings) -> Iterator[TestClient]:
    for name in ("portal-residence", "tax-registration"):
        agreement = editable.mappings / "agreements" / f"{name}.yaml"
        text = agreement.read_text("utf-8")
        agreement.write_text(text + "cases: {kinds: [correction_request]}\n", "utf-8")
    with TestClient(create_app(editable), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def an(believe: Callable[..., str], database: Connection) -> str:
    believe(personal_id=BINH, full_name="Trần Văn Bình", phone="+84900000000")
    with database, database.cursor() as cursor:
        cursor.execute("insert into truth.case_rule values ('correction_request', true)")
    key = believe(**AN_IS)
    with database, database.cursor() as cursor:
        # Whose word it is that nothing else is held.
        cursor.execute(
            "update truth.person set provenance = provenance || "
            "jsonb_build_object('*', provenance -> 'full_name') where person_key = %s",
            (key,),
        )
    return key


@pytest.fixture
def officer(admit: Callable[..., Any]) -> Callable[..., Any]:
    """Act as an officer: `officer("GET", "/v1/cases", name="An", agreement="tax-registration")`."""
    agencies: dict[str, Any] = {}

    def ask(
        method: str, path: str, name: str = "officer", agreement: str = "portal-residence", **arguments: Any
    ) -> Any:
        if agreement not in agencies:
            agencies[agreement] = admit(agreement, f"officers-of-{agreement}")
        agency = agencies[agreement]
        token = agency.ask_token(agency.assertion(act={"sub": name})).json()["access_token"]
        return agency.http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **arguments)

    return ask


def claim(portal: Any, attribute: str = "person.phone", value: Any = RIGHT, **more: Any) -> Any:
    return portal.as_citizen(AN, PATH, **{"attribute": attribute, "value": value, "reason": WHY} | more)


def states(portal: Any) -> list[tuple[str, str]]:
    lines = portal.as_citizen(AN, STATUS).json()["requests"]
    return [(line["attribute"], line["state"]) for line in lines]


def decided(officer: Callable[..., Any], case: int, said: str, reason: str = "seen") -> None:
    """Two officers say the same."""
    path, last = f"/v1/cases/{case}/decisions", officer("GET", f"/v1/cases/{case}").json()["case"]
    body = {"verdict": said, "reason": reason, "last_decision": last["last_decision"]}
    first = officer("POST", path, name="one", json=body)
    assert (first.status_code, first.json()["takes_effect"]) == (201, False)
    second = officer("POST", path, name="two", json=body | {"last_decision": first.json()["decision"]})
    assert second.json()["takes_effect"] is True


def test_a_request_becomes_a_case_that_shows_what_is_believed_and_what_is_claimed(
    portal: Any, officer: Callable[..., Any], an: str, log: Any
) -> None:
    made = claim(portal, document="HS-17")
    assert (made.status_code, made.json()["opened"]) == (201, True)
    (head,) = officer("GET", "/v1/cases").json()["cases"]
    assert (head["case"], head["kind"], head["source"], head["four_eyes"]) == (
        made.json()["case"],
        "correction_request",
        "tax",
        True,
    )
    shown = officer("GET", f"/v1/cases/{head['case']}").json()
    (row,) = shown["attributes"]
    assert (row["attribute"], row["source_value"]) == ("person.phone", RIGHT)
    assert [(held["value"], held["source"], held["equals"]) for held in row["golden_values"]] == [
        (AN_IS["phone"], "tax", False)
    ]
    assert shown["evidence"] == {"attribute": "phone", "why": WHY, "document": "HS-17"}
    assert ("correction_request", "answered", ["person.phone"]) in [
        (action, outcome, attributes) for _, action, _, _, attributes, _, outcome in log()
    ]
    uses = [(use["action"], use["involvement"]) for use in portal.usage(AN).json()["usages"]]
    assert uses == [
        ("Xử lý trường hợp cần xác minh", "consulted"),
        ("Công dân yêu cầu chỉnh sửa dữ liệu", "consulted"),
    ]


def test_the_citizen_sees_the_days_and_the_reason(portal: Any, officer: Callable[..., Any], an: str) -> None:
    case = claim(portal).json()["case"]
    (line,) = portal.as_citizen(AN, STATUS).json()["requests"]
    due = (datetime.now(VIETNAM) + timedelta(days=10)).date().isoformat()
    assert (line["case"], line["state"], line["due_on"], line["decided_at"]) == (case, "received", due, None)
    decided(officer, case, "reject", "giấy tờ không chứng minh")
    (line,) = portal.as_citizen(AN, STATUS).json()["requests"]
    assert (line["state"], line["reason"]) == ("rejected", "giấy tờ không chứng minh")
    assert portal.as_citizen(BINH, STATUS).json()["requests"] == []


def test_the_request_of_law_follows_the_case(
    portal: Any, officer: Callable[..., Any], an: str, database: Connection
) -> None:
    approved, rejected = claim(portal).json()["case"], claim(portal, "person.email", None).json()["case"]
    decided(officer, approved, "approve")
    decided(officer, rejected, "reject", "vẫn dùng")
    with database, database.cursor() as cursor:
        cursor.execute(
            "select case_id, kind, agreement, answered_at is not null, closed_as from share.request_state "
            "order by case_id"
        )
        assert cursor.fetchall() == [
            (approved, "correction", "portal-residence", True, None),
            (rejected, "correction", "portal-residence", True, "refused"),
        ]
        cursor.execute(
            "update truth.case_file set closed_at = now(), closed_because = 'corrected' where case_id = %s",
            (approved,),
        )
        cursor.execute("select closed_as from share.request_state where case_id = %s", (approved,))
        assert cursor.fetchall() == [("done",)]


def test_an_approved_request_is_sent_to_its_source_and_changes_no_golden_value(
    portal: Any, tax: Any, officer: Callable[..., Any], an: str, editable: Settings, database: Connection
) -> None:
    case = claim(portal).json()["case"]
    publish_corrections(editable, "tax", database)
    assert tax.corrections().json()["notices"] == []
    decided(officer, case, "approve")
    for _ in range(2):
        publish_corrections(editable, "tax", database)
    (notice,) = tax.corrections().json()["notices"]
    assert (notice["kind"], notice["change"], notice["attribute"]) == (
        "correction_request",
        "opened",
        "person.phone",
    )
    assert (notice["source_value"], notice["golden_value"], notice["asserted_by"]["source"]) == (
        AN_IS["phone"],
        RIGHT,
        "citizen",
    )
    looked = portal.lookup({"person.personal_id": AN}, ["person.phone"]).json()
    assert looked["attributes"]["person.phone"]["value"] == AN_IS["phone"]
    assert states(portal) == [("person.phone", "approved")]
    again = officer(
        "POST", f"/v1/cases/{case}/decisions", json={"verdict": "approve", "reason": "x", "last_decision": 2}
    )
    assert (again.status_code, "was approved already" in again.json()["detail"]) == (409, True)
    uses = [use["action"] for use in portal.usage(AN).json()["usages"]]
    assert "Nhận thông báo sai lệch" in uses

    tax.acknowledge(1, {"notice": 1, "response": "rejected", "reason": "documented"})
    (progress,) = correction_progress(database, ["tax"])
    assert (progress.open, progress.rejected) == (1, 1)
    decided(officer, case, "reject", "nguồn có giấy tờ")
    publish_corrections(editable, "tax", database)
    closed = tax.corrections(after=1).json()["notices"]
    assert [(line["notice"], line["change"], line["closed_because"]) for line in closed] == [
        (1, "closed", "override")
    ]
    assert states(portal) == [("person.phone", "rejected")]


def test_a_value_that_its_owner_disputes_is_to_be_confirmed_until_that_is_decided(
    portal: Any, officer: Callable[..., Any], an: str
) -> None:
    def filled(name: str) -> tuple[bool, bool]:
        items = portal.prefill("1.004222", {"person.personal_id": AN}).json()["items"]
        return items[name]["confirm"], items[name]["disputed"]

    assert filled("full_name") == (False, False)
    case = claim(portal, "person.full_name", "Nguyễn Thị Ân").json()["case"]
    assert filled("full_name") == (True, True)
    decided(officer, case, "reject")
    assert filled("full_name") == (False, False)


def test_the_same_request_is_the_same_case_and_another_value_waits(portal: Any, an: str) -> None:
    first = claim(portal)
    again = claim(portal)
    assert (again.status_code, again.json()["case"]) == (200, first.json()["case"])
    assert again.json()["opened"] is False
    other = claim(portal, value="+84911111111")
    assert (other.status_code, other.json()["case"]) == (409, first.json()["case"])
    nothing = claim(portal, "person.email", AN_IS["email"])
    assert (nothing.status_code, "nothing differs" in nothing.json()["detail"]) == (409, True)
    assert states(portal) == [("person.phone", "received")]


def test_requests_at_once_are_one_case(portal: Any, an: str) -> None:
    with ThreadPoolExecutor(4) as citizens:
        answers = list(citizens.map(lambda _: claim(portal), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["case"] for answer in answers}) == 1


def test_no_source_floods_the_clerks(portal: Any, an: str, log: Any) -> None:
    wrong = {
        "person.phone": RIGHT,
        "person.email": None,
        "person.full_name": "Nguyễn Thị Ân",
        "person.birth_date": "1984",
        "person.sex": "female",
        "person.other_name": "Ân",
    }
    answers = [claim(portal, name, value) for name, value in wrong.items()]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429], [a.text for a in answers]
    assert answers[-1].headers["retry-after"] == "86400"
    assert log()[-1][-1] == "refused"


@pytest.mark.parametrize(
    "body",
    [
        {"value": "0912"},
        {"value": {"a": 1}},
        {"attribute": "person.full_name", "value": "A" * 3000},
        {"attribute": "person.full_name", "value": ""},
        {"attribute": "person.shoe_size"},
        {"reason": ""},
        {"reason": "a\nb"},
        {"document": "x" * 201},
        {"search": {"person.personal_id": "12"}},
        {"who": "me"},
    ],
)
def test_a_malformed_value_is_refused_without_being_repeated(portal: Any, an: str, body: Any) -> None:
    refused = claim(portal, **body)
    assert refused.status_code == 422
    assert "0912" not in refused.text
    assert states(portal) == []


@pytest.mark.parametrize("text", [r"\ud800", r"A\u0000B"])
def test_a_value_of_what_is_no_character_is_refused(portal: Any, an: str, text: str) -> None:
    body = (
        f'{{"search": {{"person.personal_id": "{AN}"}}, "attribute": "person.full_name", "value": "{text}", '
        '"reason": "x"}'
    )
    headers = portal.headers() | {"Content-Type": "application/json"}
    assert portal.http.post(PATH, content=body, headers=headers).status_code == 400
    assert states(portal) == []


def test_only_the_citizen_and_only_what_the_agreement_takes(portal: Any, tax: Any, an: str, log: Any) -> None:
    number = claim(portal, "person.personal_id", BINH)
    assert (number.status_code, number.json()["refused"]) == (403, ["person.personal_id"])
    for refused in (
        claim(portal, search={"person.personal_id": BINH}),
        portal.as_citizen(AN, STATUS, search={"person.personal_id": BINH}),
        claim(tax),
        tax.as_citizen(AN, STATUS),
        portal.http.post(STATUS, json={"search": {"person.personal_id": AN}}, headers=portal.headers()),
    ):
        assert refused.status_code == 403
    assert {outcome for *_, outcome in log()} == {"refused"}


def test_officers_decide_only_what_their_agreement_shows(
    portal: Any, officer: Callable[..., Any], an: str
) -> None:
    case = claim(portal, "person.email", None).json()["case"]
    seen = officer("GET", f"/v1/cases/{case}", agreement="tax-registration")
    body = {"verdict": "reject", "reason": "seen"}
    said = officer("POST", f"/v1/cases/{case}/decisions", agreement="tax-registration", json=body)
    assert (seen.status_code, said.status_code) == (404, 404)
    wrong = officer("POST", f"/v1/cases/{case}/decisions", json={"verdict": "different", "reason": "seen"})
    assert (wrong.status_code, "approved or rejected" in wrong.json()["detail"]) == (409, True)


def test_no_value_and_no_words_reach_a_log(portal: Any, an: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        claim(portal)
        claim(portal, value="+84911111111")
        claim(portal, value="0911111111")
        portal.as_citizen(AN, STATUS)
    assert not any(text in caplog.text for text in (AN, RIGHT, WHY, "911111111"))
