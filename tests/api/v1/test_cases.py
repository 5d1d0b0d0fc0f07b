"""Officers see and decide the cases that their agency's agreement covers, by name and on the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.store.connection import Connection

AN = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An"}
BINH = {"personal_id": "001090000002", "full_name": "Trần Văn Bình"}

_RECORD = """
insert into record.person (source, stream, source_key, personal_id, full_name, phone, stated_at)
values (%s, 'accounts', %s, '001084000999', 'Trần Văn Bình', '+84912345678', '2026-01-01')
"""

_CASE = """
insert into truth.case_file (kind, person_key, source, stream, source_key, evidence)
values ('wrong_person', %s, %s, 'accounts', %s, '{"method": "personal_id", "name": "differs"}')
returning case_id
"""


@pytest.fixture
def http(editable: Settings) -> Iterator[TestClient]:
    agreement = editable.mappings / "agreements" / "portal-residence.yaml"
    text = agreement.read_text("utf-8")
    agreement.write_text(text + "cases: {kinds: [wrong_person], sources: [portal]}\n", "utf-8")
    with TestClient(create_app(editable), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def people(believe: Callable[..., str], database: Connection) -> tuple[str, str]:
    """Two people whom the register has."""
    keys = believe(**AN), believe(**BINH)
    with database, database.cursor() as cursor:
        cursor.executemany(
            "insert into truth.link (source, stream, source_key, person_key, method) "
            "values ('population', 'citizens', %s, %s, 'register')",
            [(key, key) for key in keys],
        )
    return keys


@pytest.fixture
def open_case(people: tuple[str, str], database: Connection) -> Callable[..., int]:
    """Open a case about a record that bears the first one's number."""

    def add(source: str = "portal", key: str = "TK1") -> int:
        with database, database.cursor() as cursor:
            cursor.execute(_RECORD, (source, key))
            cursor.execute(_CASE, (people[0], source, key))
            ((number,),) = cursor.fetchall()
        return int(number)

    return add


@pytest.fixture
def officer(portal: Any) -> Callable[..., Any]:
    """Act as an officer: `officer("GET", "/v1/cases", name="An")`."""

    def ask(method: str, path: str, name: str = "officer", **arguments: Any) -> Any:
        token = portal.ask_token(portal.assertion(act={"sub": name})).json()["access_token"]
        return portal.http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **arguments)

    return ask


@pytest.fixture
def entries(database: Connection) -> Callable[[], list[dict[str, Any]]]:
    """What the log holds of cases."""

    def read() -> list[dict[str, Any]]:
        with database, database.cursor() as cursor:
            cursor.execute(
                "select officer, case_id, decision_id, person, attributes, outcome, vouched_by "
                "from audit.entry where action = 'case' and outcome <> 'opened' order by entry_id"
            )
            names = ("officer", "case_id", "decision_id", "person", "attributes", "outcome", "vouched_by")
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return read


def test_cases_are_listed_page_by_page_without_what_they_are_about(officer, open_case, entries):
    numbers = [open_case("portal", f"TK{number}") for number in range(3)]
    open_case("banking", "B1")
    first = officer("GET", "/v1/cases", params={"limit": 2}).json()
    rest = officer("GET", "/v1/cases", params={"limit": 2, "after": first["next"]}).json()
    assert [case["case"] for case in first["cases"] + rest["cases"]] == numbers
    assert (first["more"], rest["more"]) == (True, False)
    assert "TK" not in str(first)
    assert [(each["officer"], each["person"], each["outcome"]) for each in entries()] == [
        ("officer", None, "answered")
    ] * 2


def test_a_look_shows_the_evidence_and_is_logged_against_whom_it_showed(
    officer, open_case, entries, people, editable
):
    number = open_case()
    shown = officer("GET", f"/v1/cases/{number}")
    assert shown.status_code == 200
    rows = {row["attribute"]: row for row in shown.json()["attributes"]}
    assert rows["person.full_name"]["source_value"] == "Trần Văn Bình"
    assert rows["person.full_name"]["golden_values"] == [
        {
            "value": "Nguyễn Thị An",
            "source": "population",
            "as_of": "2026-05-01T01:02:03+00:00",
            "equals": False,
        }
    ]
    assert people[0] not in shown.text
    (entry,) = entries()
    assert (entry["officer"], entry["case_id"]) == ("officer", number)
    assert entry["vouched_by"] == "client"
    assert entry["person"] == person_pseudonym(pseudonym_key(editable.home), people[0])
    assert set(entry["attributes"]) == set(rows)


def test_a_decision_is_made_by_name_and_logged_with_it(officer, open_case, entries, people, database):
    number = open_case()
    body = {
        "verdict": "other",
        "reason": "seen at the counter",
        "search": {"person.personal_id": BINH["personal_id"]},
    }
    made = officer("POST", f"/v1/cases/{number}/decisions", json=body)
    assert (made.status_code, made.json()["takes_effect"]) == (201, True)
    with database, database.cursor() as cursor:
        cursor.execute("select person_key::text, verdict, decided_by, reason from truth.link_override")
        assert cursor.fetchall() == [(people[1], "same", "G01/officer", "seen at the counter")]
    (entry,) = entries()
    assert (entry["officer"], entry["decision_id"]) == ("officer", made.json()["decision"])
    again = officer("POST", f"/v1/cases/{number}/decisions", json={"verdict": "different", "reason": "no"})
    assert (again.status_code, "was decided by G01/officer" in again.json()["detail"]) == (409, True)
    assert [each["outcome"] for each in entries()] == ["answered", "refused"]


def test_somebody_named_is_chosen_by_pseudonym(officer, open_case, people, database):
    number = open_case()
    (named,) = officer("GET", f"/v1/cases/{number}").json()["people"]
    path = f"/v1/cases/{number}/decisions"
    wrong = officer("POST", path, json={"verdict": "same", "reason": "seen", "person": "0" * 64})
    assert (wrong.status_code, "no person with that pseudonym" in wrong.json()["detail"]) == (409, True)
    made = officer("POST", path, json={"verdict": "same", "reason": "seen", "person": named["person"]})
    assert made.status_code == 201
    with database, database.cursor() as cursor:
        cursor.execute("select person_key::text from truth.link_override")
        assert cursor.fetchall() == [(people[0],)]


def test_where_four_eyes_are_needed_another_officer_confirms(officer, open_case, database):
    with database, database.cursor() as cursor:
        cursor.execute("insert into truth.case_rule values ('wrong_person', true)")
    path = f"/v1/cases/{open_case()}/decisions"
    first = officer("POST", path, json={"verdict": "different", "reason": "seen"}).json()
    body = {"verdict": "different", "reason": "seen", "last_decision": first["decision"]}
    own = officer("POST", path, json=body)
    assert (first["takes_effect"], own.status_code, "your own" in own.json()["detail"]) == (False, 409, True)
    assert officer("POST", path, name="other", json=body).json()["takes_effect"] is True


def test_of_officers_who_decide_at_once_one_does(officer, open_case, database):
    path = f"/v1/cases/{open_case()}/decisions"

    def attempt(number: int) -> int:
        body = {"verdict": "different", "reason": "seen"}
        return int(officer("POST", path, name=f"officer {number}", json=body).status_code)

    with ThreadPoolExecutor(4) as officers:
        assert sorted(officers.map(attempt, range(4))) == [201, 409, 409, 409]


def test_cases_are_shown_only_under_a_name_and_an_agreement(portal, tax, open_case, entries):
    number = open_case()
    for agency in (portal, tax):
        for path in ("/v1/cases", f"/v1/cases/{number}"):
            refused = agency.http.get(path, headers=agency.headers())
            assert refused.status_code == 403, path
            assert refused.headers["content-type"] == "application/problem+json"
    assert [each["outcome"] for each in entries()] == ["refused"] * 4


@pytest.mark.parametrize(
    "act", ["officer", {}, {"sub": " "}, {"sub": 7}, {"sub": "a\nb"}, {"sub": "n" * 101}]
)
def test_an_officer_is_named_properly_or_gets_no_token(portal, act):
    refused = portal.ask_token(portal.assertion(act=act))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_a_case_that_is_not_covered_is_as_if_it_were_not_there(officer, open_case, entries):
    for number in (open_case("banking", "B1"), 999_999):
        absent = officer("GET", f"/v1/cases/{number}")
        assert (absent.status_code, absent.json()["detail"]) == (404, f"there is no case {number}")
    assert [each["outcome"] for each in entries()] == ["not_found"] * 2


@pytest.mark.parametrize(
    "body",
    [
        {"verdict": "maybe", "reason": "seen"},
        {"verdict": "different"},
        {"verdict": "different", "reason": "two\nlines"},
        {"verdict": "other", "reason": "seen"},
        {"verdict": "different", "reason": "seen", "person": "0" * 64},
        {"verdict": "other", "reason": "seen", "search": {"person.personal_id": "12"}},
    ],
)
def test_a_decision_without_the_right_form_is_refused(officer, open_case, body):
    refused = officer("POST", f"/v1/cases/{open_case()}/decisions", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"]


def test_a_decision_waits_for_no_run(officer, open_case, database):
    path = f"/v1/cases/{open_case()}/decisions"
    with database, database.cursor() as cursor:
        cursor.execute("lock table truth.link_override, truth.merge_decision in share mode")
        busy = officer("POST", path, json={"verdict": "different", "reason": "seen"})
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "60")


def test_the_endpoints_are_described(http):
    paths = http.get("/openapi.json").json()["paths"]
    assert {path for path in paths if path.startswith("/v1/cases")} == {
        "/v1/cases",
        "/v1/cases/{case_id}",
        "/v1/cases/{case_id}/decisions",
    }
