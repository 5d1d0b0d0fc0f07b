"""A source reads what it holds that is not believed, and answers; nobody else learns anything of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncehub.settings import Settings
from oncehub.share.access.database_access import build_database_access, encrypted_attributes
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.feeds.entries import publish as publish_feed
from oncehub.store.connection import Connection

AN = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An"}
STATED, BELIEVED = "Nguyễn Thị Anh", "Nguyễn Thị An"

Disagree = Callable[..., int]


@pytest.fixture
def publish(editable: Settings, database: Connection) -> Callable[[], int]:
    """Bring the notices to the source `tax` up to date and return the last sequence."""
    return lambda: publish_corrections(editable, "tax", database).last_sequence


@pytest.fixture
def person(believe: Callable[..., str]) -> str:
    return believe(**AN)


@pytest.fixture
def five(person: str, disagree: Disagree, publish: Callable[[], int]) -> list[int]:
    """Ids of five discrepancies of tax that were published to it."""
    found = [disagree(person, "full_name", stated=STATED, key=f"800{digit}") for digit in range(1, 6)]
    assert publish() == 5
    return found


@pytest.fixture
def receipts(database: Connection) -> Callable[[], list[tuple[Any, ...]]]:
    """Every step of every client, as (feed, kind, sequence, client)."""

    def read() -> list[tuple[Any, ...]]:
        with database, database.cursor() as cursor:
            cursor.execute(
                "select feed, kind, sequence, client_id from share.consumer_offset order by kind desc, at"
            )
            return cursor.fetchall()

    return read


@pytest.fixture
def readings(database: Connection) -> Callable[[], list[tuple[Any, ...]]]:
    def read() -> list[tuple[Any, ...]]:
        with database, database.cursor() as cursor:
            cursor.execute("select notice, response, reason from share.notice_response order by response_id")
            return cursor.fetchall()

    return read


def without_attribute(agency: Any, name: str) -> None:
    """Take an attribute out of the agreement that the API keeps."""
    hub = agency.http.app.state.hub
    agreement = hub.agreements["tax-registration"]
    left = tuple(attribute for attribute in agreement.attributes if attribute != name)
    hub.agreements["tax-registration"] = agreement.model_copy(update={"attributes": left})


def test_a_notice_has_the_source_value_the_golden_value_its_source_and_its_date(
    tax: Any, person: str, disagree: Disagree, publish: Callable[[], int]
) -> None:
    disagree(person, "full_name", stated=STATED, believed=BELIEVED, key="8001")
    publish()
    answer = tax.corrections()
    (line,) = answer.json()["notices"]
    assert line.pop("opened_at")
    assert line == {
        "sequence": 1,
        "notice": 1,
        "change": "opened",
        "kind": "conflict",
        "severity": "low",
        "record": {"stream": "registrations", "key": "8001"},
        "attribute": "person.full_name",
        "source_value": STATED,
        "stated_at": "2026-04-01T00:00:00Z",
        "golden_value": BELIEVED,
        "withheld": False,
        "asserted_by": {"source": "population", "as_of": "2026-05-01T01:02:03Z"},
        "closed_at": None,
        "closed_because": None,
        "resolution_times": None,
    }
    assert person not in answer.text


def test_severity_is_that_of_today_and_gone_with_the_discrepancy(
    tax: Any,
    database: Connection,
    person: str,
    disagree: Disagree,
    alter: Callable[..., None],
    publish: Callable[[], int],
) -> None:
    found = [disagree(person, "full_name", key=f"800{digit}") for digit in range(1, 4)]
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.severity_rule values ('conflict', '*', 'low', '30 days', '60 days')"
        )
    alter(found[0], opened_at="2020-01-01")
    publish()
    alter(found[1], closed_at="2099-01-01", closed_because="corrected")
    publish()
    lines = tax.corrections().json()["notices"]
    assert sorted((line["record"]["key"], line["change"], line["severity"]) for line in lines) == [
        ("8001", "opened", "high"),
        ("8002", "closed", None),
        ("8002", "opened", None),
        ("8003", "opened", "low"),
    ]


def test_a_source_that_stops_goes_on_where_it_was(tax: Any, five: list[int]) -> None:
    lines: list[dict[str, Any]] = []
    after, more = 0, True
    while more:
        page = tax.corrections(after=after, limit=2).json()
        lines += page["notices"]
        after, more = page["next"], page["more"]
    assert [line["sequence"] for line in lines] == [1, 2, 3, 4, 5]
    end = {"notices": [], "next": 5, "epoch": page["epoch"], "more": False}
    assert tax.corrections(after=5, epoch=page["epoch"]).json() == end
    beyond = tax.corrections(after=6)
    assert (beyond.status_code, beyond.json()["last_sequence"], beyond.json()["epoch"]) == (
        409,
        5,
        page["epoch"],
    )


def test_an_agency_without_corrections_is_refused_and_logged(portal: Any, five: list[int], log: Any) -> None:
    for answer in (portal.corrections(), portal.acknowledge(1)):
        assert answer.status_code == 403
        assert answer.json()["detail"] == "the agreement does not entitle to correction notices"
        assert "8001" not in answer.text
    assert [entry[1:] for entry in log()] == [
        ("corrections", None, None, [], [], "refused"),
        ("acknowledgement", None, None, [], [], "refused"),
    ]


def test_the_notices_of_another_source_cannot_be_read(tax: Any, five: list[int]) -> None:
    for query in ({"source": "customs"}, {"after": -1}, {"limit": 0}, {"limit": 1001}, {"after": 2**63}):
        answer = tax.corrections(**query)
        assert answer.status_code == 422, query
        assert "customs" not in answer.text


def test_each_read_is_logged_with_the_legal_basis_of_notices(
    tax: Any, five: list[int], log: Any, database: Connection
) -> None:
    tax.corrections(limit=2)
    agreed = list(tax.http.app.state.hub.agreements["tax-registration"].noticed())
    assert log() == [(tax.client_id, "corrections", None, None, agreed, [], "answered")]
    with database, database.cursor() as cursor:
        cursor.execute("select outcome, legal_basis from audit.entry where action <> 'refusals'")
        basis = "Luật 91/2025/QH15, Điều 3 khoản 3"
        assert cursor.fetchall() == [("opened", basis), ("answered", basis)]


def test_without_its_legal_basis_no_notice_is_read(tax: Any, five: list[int]) -> None:
    hub = tax.http.app.state.hub
    agreement = hub.agreements["tax-registration"]
    basis = agreement.corrections.legal_basis.model_copy(update={"since": agreement.valid.until})
    ended = agreement.corrections.model_copy(update={"legal_basis": basis})
    hub.agreements["tax-registration"] = agreement.model_copy(update={"corrections": ended})
    assert tax.corrections().status_code == 403
    assert tax.changes("taxpayers").status_code == 200


def test_of_an_attribute_disclosed_without_value_no_value_leaves(
    tax: Any,
    believe: Callable[..., str],
    disagree: Disagree,
    publish: Callable[[], int],
    database: Connection,
) -> None:
    disagree(believe(email="b@example.vn"), "email", stated="a@example.vn", believed="b@example.vn")
    publish()
    answer = tax.corrections()
    (line,) = answer.json()["notices"]
    assert (line["source_value"], line["golden_value"], line["asserted_by"]) == ("a@example.vn", None, None)
    assert line["withheld"]
    with database, database.cursor() as cursor:
        cursor.execute("select line::text from share.notice")
        assert "b@example.vn" not in str(cursor.fetchall())


def test_of_another_persons_number_only_the_own_value_is_disclosed(
    tax: Any, person: str, disagree: Disagree, publish: Callable[[], int]
) -> None:
    disagree(person, "personal_id", kind="wrong_person", stated="001084000999", believed=BELIEVED)
    publish()
    answer = tax.corrections()
    (line,) = answer.json()["notices"]
    assert (line["golden_value"], line["asserted_by"], line["withheld"]) == (None, None, True)
    assert BELIEVED not in answer.text


def test_what_left_the_agreement_is_passed_over_and_paging_goes_on(
    tax: Any,
    person: str,
    five: list[int],
    disagree: Disagree,
    publish: Callable[[], int],
    editable: Settings,
    database: Connection,
) -> None:
    agreements, encrypted = tax.http.app.state.hub.agreements, encrypted_attributes(editable)
    disagree(person, "phone", stated="0901234567", believed="0907654321")
    assert publish() == 6
    without_attribute(tax, "person.full_name")
    build_database_access(database, agreements, encrypted)
    first = tax.corrections(limit=1).json()
    assert [line["sequence"] for line in first["notices"]] == [6]
    without_attribute(tax, "person.phone")
    build_database_access(database, agreements, encrypted)
    answer = tax.corrections()
    assert answer.json() == {"notices": [], "next": 6, "epoch": answer.json()["epoch"], "more": False}
    assert tax.acknowledge(6).status_code == 200


def test_only_what_was_fetched_can_be_acknowledged(tax: Any, five: list[int], receipts: Any) -> None:
    tax.corrections(limit=2)
    refused = tax.acknowledge(3)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"] == [
        {"pointer": "#/acknowledged", "detail": "lies beyond what was fetched"}
    ]
    assert tax.acknowledge(2).json() == {"acknowledged": 2, "fetched": 2}
    assert receipts() == [
        ("corrections.tax", "fetched", 2, tax.client_id),
        ("corrections.tax", "acknowledged", 2, tax.client_id),
    ]


def test_acknowledging_again_or_less_takes_nothing_back(tax: Any, five: list[int], receipts: Any) -> None:
    tax.corrections()
    for sequence in (4, 4, 1, 0):
        assert tax.acknowledge(sequence).json() == {"acknowledged": 4, "fetched": 5}
    assert len(receipts()) == 2


def test_who_skips_lines_has_not_fetched_them(tax: Any, five: list[int], receipts: Any) -> None:
    tax.corrections(limit=1)
    tax.corrections(after=3)
    assert [step[2] for step in receipts()] == [1]
    assert tax.acknowledge(5).status_code == 422
    tax.corrections(after=1)
    assert [step[2] for step in receipts()] == [1, 5]


def test_another_client_of_the_agency_goes_on_where_the_first_was(
    tax: Any, admit: Callable[..., Any], five: list[int], receipts: Any
) -> None:
    tax.corrections(limit=3)
    second = admit("tax-registration", "second")
    second.corrections(after=3)
    assert [(step[2], step[3]) for step in receipts()] == [(3, tax.client_id), (5, "second")]
    assert tax.acknowledge(5).status_code == 200


def test_a_source_says_what_becomes_of_a_notice(tax: Any, five: list[int], readings: Any) -> None:
    tax.corrections()
    work = {"notice": 1, "response": "in_progress"}
    refusal = {"notice": 2, "response": "rejected", "reason": "documented"}
    assert tax.acknowledge(5, work, refusal).status_code == 200
    assert tax.acknowledge(5, work, refusal).status_code == 200
    assert tax.acknowledge(5, work, {"notice": 1, "response": "accepted"}).status_code == 200
    assert readings() == [(1, "in_progress", None), (2, "rejected", "documented"), (1, "accepted", None)]


def test_an_answer_to_a_notice_that_was_not_fetched_notes_nothing(
    tax: Any, five: list[int], alter: Callable[..., None], publish: Callable[[], int], readings: Any, log: Any
) -> None:
    alter(five[0], closed_at="2099-01-01", closed_because="corrected")
    assert publish() == 6
    tax.corrections(limit=3)
    tax.corrections(after=5)
    for notice in (4, 6, 99):
        accepted = [{"notice": number, "response": "accepted"} for number in (1, notice)]
        refused = tax.acknowledge(3, *accepted)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "#/responses/1/notice"
    assert readings() == []
    assert tax.acknowledge(0).json()["acknowledged"] == 0
    assert [entry[-1] for entry in log() if entry[1] == "acknowledgement"] == ["refused"] * 3 + ["answered"]


def test_a_reason_goes_with_a_rejection_and_is_one_of_few(tax: Any, five: list[int]) -> None:
    tax.corrections()
    for wrong in (
        {"notice": 1, "response": "rejected"},
        {"notice": 1, "response": "accepted", "reason": "documented"},
        {"notice": 1, "response": "rejected", "reason": "001084000999"},
        {"notice": 1, "response": "accepted", "001084000999": "x"},
    ):
        answer = tax.acknowledge(5, wrong)
        assert answer.status_code == 422, wrong
        assert "001084000999" not in answer.text
    assert tax.acknowledge(5).json()["acknowledged"] == 5


def test_where_the_log_cannot_be_written_nothing_is_given_out_or_noted(
    tax: Any, five: list[int], database: Connection, receipts: Any
) -> None:
    tax.token()
    with database, database.cursor() as cursor:
        cursor.execute("revoke execute on function share.log from oncehub_api")
    answer = tax.corrections()
    assert answer.status_code == 503
    assert STATED not in answer.text
    assert receipts() == []


def test_a_feed_notes_how_far_it_was_fetched(
    portal: Any, editable: Settings, person: str, receipts: Any
) -> None:
    publish_feed(editable, "residence")
    portal.changes("residence")
    portal.changes("residence", after=1)
    assert receipts() == [
        ("residence", "fetched", 1, portal.client_id),
        ("residence", "acknowledged", 1, portal.client_id),
    ]
