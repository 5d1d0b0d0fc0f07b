"""Citizens see who had their data: all of it, theirs only, and nothing that law keeps from them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import raw_keys, signing_key
from oncehub.audit.signing.line_proofs import line_proofs
from oncehub.audit.tlog.proofs import Proof, commitment
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection

if sys.version_info >= (3, 12):
    import aics_tlog as others

AN, BINH = "001084000999", "001090000002"
AN_IS = {"personal_id": AN, "full_name": "Nguyễn Thị An", "phone": "+84912345678"}
HIDING = "hidden_from_citizen: {text: Luật An ninh, article: Điều 9, from: 2026-01-01, until: %s}\n"


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    believe(personal_id=BINH, full_name="Trần Văn Bình")
    return believe(**AN_IS)


@pytest.fixture
def hide(editable: Settings) -> Callable[[str], None]:
    """Have the tax agreement keep its look-ups from citizens until a day."""
    path = editable.mappings / "agreements" / "tax-registration.yaml"
    text = path.read_text("utf-8")

    def until(day: str) -> None:
        path.write_text(text + HIDING % day, "utf-8")

    return until


@pytest.fixture
def restarted(editable: Settings, portal: Any, tax: Any) -> Iterator[Callable[[], tuple[Any, Any]]]:
    """Start the API anew over the agreements as they are now; gives portal and tax as its clients."""
    with ExitStack() as running:

        def start() -> tuple[Any, Any]:
            app = create_app(editable)
            http = running.enter_context(TestClient(app, raise_server_exceptions=False))
            return replace(portal, http=http, bearer=None), replace(tax, http=http, bearer=None)

        yield start


def look(agency: Any, number: str = AN) -> None:
    assert agency.lookup({"person.personal_id": number}, ["person.full_name"]).status_code == 200


def told(answer: Any) -> list[tuple[str, str, str]]:
    return [(use["action"], use["receiverCode"], use["involvement"]) for use in answer.json()["usages"]]


LOOKUP, FEED, OWN = (
    "Tra cứu dữ liệu",
    "Nhận dữ liệu thay đổi",
    "Công dân xem lịch sử sử dụng dữ liệu",
)


def test_a_citizen_sees_who_had_their_data_the_newest_first(portal: Any, tax: Any, an: str) -> None:
    look(tax)
    look(portal, BINH)
    portal.prefill("1.004222", {"person.personal_id": AN})
    answer = portal.usage(AN)
    assert answer.status_code == 200
    assert answer.json()["totalUsages"] == 2
    newest, oldest = answer.json()["usages"]
    assert datetime.fromisoformat(newest["logtime"]) > datetime.fromisoformat(oldest["logtime"])
    assert oldest | {"logtime": None} == {
        "logtime": None,
        "action": LOOKUP,
        "receiverCode": "G12",
        "receiverName": "Cục Thuế",
        "receiverSystem": "client-of-tax-registration",
        "involvement": "consulted",
        "outcome": "answered",
        "purpose": "dpv:LegalCompliance",
        "legalBasis": "Luật 91/2025/QH15, Điều 19 khoản 1 điểm c",
        "procedure": None,
        "attributes": ["person.full_name"],
        "log": None,
        "logIndex": None,
    }
    assert (newest["action"], newest["procedure"]) == ("Điền sẵn biểu mẫu", "1.004222")


def test_a_citizen_is_given_a_proof_of_a_line_by_its_place_which_software_of_others_verifies(
    portal: Any, tax: Any, an: str, editable: Settings
) -> None:
    look(tax, BINH)
    look(tax)
    write_checkpoints(editable)
    look(portal)
    waiting, signed = portal.usage(AN).json()["usages"]
    assert (waiting["log"], waiting["logIndex"]) == (None, None)
    (proof,) = (Proof.parse(str(each)) for each in line_proofs(editable, signed["logIndex"]))
    line, (key,) = orjson.loads(proof.line), raw_keys({"": signing_key(editable.home).private})
    checkpoint = proof.verify([key])
    assert (checkpoint.origin, proof.index) == (signed["log"], signed["logIndex"])
    assert datetime.fromisoformat(line["at"]) == datetime.fromisoformat(signed["logtime"])
    assert (line["agency"], line["attributes"]) == (signed["receiverCode"], signed["attributes"])
    with pytest.raises(ConfigError, match="no line at 999"):
        line_proofs(editable, 999)
    if sys.version_info >= (3, 12):
        theirs, note = others.checkpoint.checkpoint_from_note(proof.note.encode())
        named = others.parse_vkey(str(signing_key(editable.home).named(signed["log"]).verifier))
        assert others.verify_checkpoint(note, named, [], quorum=0).ok
        entry = commitment(proof.salt, proof.line)
        assert others.verify_leaf_inclusion(entry, proof.index, theirs.size, proof.hashes, theirs.root)


def test_the_look_itself_is_a_usage_of_later_looks(portal: Any, an: str, log: Any) -> None:
    assert portal.usage(AN).json()["totalUsages"] == 0
    assert told(portal.usage(AN)) == [(OWN, "G01", "consulted")]
    assert [(action, outcome) for _, action, _, _, _, _, outcome in log()] == [("usage", "answered")] * 2


def test_a_citizen_reads_only_their_own_data(portal: Any, an: str, log: Any) -> None:
    other = portal.usage(AN, search={"person.personal_id": BINH})
    beside = portal.usage(AN, search={"person.personal_id": AN, "person.tax_code": "0312345678"})
    assert (other.status_code, beside.status_code) == (403, 403)
    assert {person for _, _, _, person, *_ in log()} == {None}


def test_without_a_citizen_who_is_named_nothing_is_shown(portal: Any, tax: Any, an: str) -> None:
    search = {"search": {"person.personal_id": AN}}
    by_itself = portal.http.post("/v1/usage/find", json=search, headers=portal.headers())
    by_officer, by_proven = (
        portal.http.post("/v1/usage/find", json=search, headers=portal.as_officer(AN, proven=proven))
        for proven in (False, True)
    )
    no_view = tax.usage(AN)
    for refused in (by_itself, by_officer, by_proven, no_view):
        assert refused.status_code == 403
        assert "usages" not in refused.text


@pytest.mark.parametrize(
    "act", [{"sub": "An", "role": "citizen"}, {"role": "citizen"}, {"sub": AN, "role": "clerk"}]
)
def test_a_citizen_is_named_by_number_and_by_role_or_there_is_no_token(portal: Any, act: Any) -> None:
    assert portal.ask_token(portal.assertion(act=act)).status_code == 401


def test_a_citizen_decides_no_cases(portal: Any, an: str) -> None:
    token = portal.ask_token(portal.assertion(act={"sub": AN, "role": "citizen"})).json()["access_token"]
    assert portal.http.get("/v1/cases", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_pages_with_the_same_end_hold_each_usage_once(portal: Any, tax: Any, an: str) -> None:
    for _ in range(7):
        look(tax)
    page = portal.usage(AN, limit=3).json()
    until, seen = page["until"], list(page["usages"])
    for offset in (3, 6, 9):
        page = portal.usage(AN, limit=3, offset=offset, period={"until": until}).json()
        assert page["totalUsages"] == 7
        seen += page["usages"]
    times = [use["logtime"] for use in seen]
    assert len(set(times)) == len(times) == 7
    assert times == sorted(times, reverse=True)


def test_a_period_has_its_beginning_and_not_its_end(portal: Any, tax: Any, an: str) -> None:
    for _ in range(3):
        look(tax)
    newest, middle, oldest = (use["logtime"] for use in portal.usage(AN).json()["usages"])
    within = portal.usage(AN, period={"from": oldest, "until": newest}).json()
    assert [use["logtime"] for use in within["usages"]] == [middle, oldest]
    assert within["totalUsages"] == 2
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert portal.usage(AN, period={"until": ahead}).json()["until"] < ahead


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": 501},
        {"offset": -1},
        {"offset": 10**9},
        {"period": {"from": "2026-02-01T00:00:00"}},
        {"period": {"from": "2026-02-02T00:00:00Z", "until": "2026-02-01T00:00:00Z"}},
        {"search": {"person.personal_id": "12"}},
        {"order": "oldest"},
    ],
)
def test_what_lies_out_of_bounds_is_refused(portal: Any, body: dict[str, Any]) -> None:
    refused = portal.usage(AN, **body)
    assert refused.status_code == 422
    assert AN not in refused.text


def test_who_stands_in_a_page_of_a_feed_has_appeared(
    portal: Any, tax: Any, an: str, editable: Settings, database: Connection
) -> None:
    publish(editable, "taxpayers", database)
    tax.changes("taxpayers", limit=1)
    assert told(portal.usage(BINH)) == [(FEED, "G12", "appeared")]
    assert told(portal.usage(AN)) == []
    tax.changes("taxpayers")
    tax.changes("taxpayers", after=2)
    assert told(portal.usage(AN)) == [(FEED, "G12", "appeared"), (OWN, "G01", "consulted")]


def test_a_notice_names_the_attribute_with_which_a_person_appeared(
    portal: Any, tax: Any, an: str, editable: Settings, database: Connection, disagree: Callable[..., int]
) -> None:
    disagree(an, "phone")
    disagree(an, "email")
    disagree(an, "full_name", kind="wrong_person")
    publish_corrections(editable, "tax", database)
    tax.corrections()
    (use,) = portal.usage(AN).json()["usages"]
    assert (use["action"], use["attributes"]) == ("Nhận thông báo sai lệch", ["person.email", "person.phone"])


def test_a_skipped_notice_makes_no_person_appear(
    portal: Any, tax: Any, an: str, editable: Settings, database: Connection, disagree: Callable[..., int]
) -> None:
    for name in ("full_name", "phone", "sex"):
        disagree(an, name)
    publish_corrections(editable, "tax", database)
    hub = tax.http.app.state.hub
    agreement = hub.agreements["tax-registration"]
    left = tuple(name for name in agreement.attributes if name != "person.phone")
    hub.agreements["tax-registration"] = agreement.model_copy(update={"attributes": left})
    tax.corrections()
    (use,) = portal.usage(AN).json()["usages"]
    assert use["attributes"] == ["person.full_name", "person.sex"]


def test_lines_that_are_kept_no_more_leave_who_appeared_in_those_given_out(
    portal: Any, tax: Any, an: str, editable: Settings, database: Connection, disagree: Callable[..., int]
) -> None:
    disagree(an, "phone")
    publish(editable, "taxpayers", database)
    publish(editable, "residence", database)
    publish_corrections(editable, "tax", database)
    tax.changes("taxpayers")
    tax.corrections()
    before = told(portal.usage(AN))
    with database, database.cursor() as cursor:
        cursor.execute("delete from share.feed_entry")
        cursor.execute("delete from share.notice")
        cursor.execute("select feed, sequence from share.past_disclosure order by feed, sequence")
        assert cursor.fetchall() == [("corrections.tax", 1), ("taxpayers", 1), ("taxpayers", 2)]
    assert told(portal.usage(AN)) == [(OWN, "G01", "consulted"), *before]


def test_what_law_hides_is_neither_listed_nor_counted_nor_seen_in_pages(
    hide: Callable[[str], None], restarted: Callable[[], tuple[Any, Any]], an: str, believe: Any
) -> None:
    hide("2999-12-31")
    portal, tax = restarted()
    never = believe(personal_id="001090000003", full_name="Lê Văn Chi")
    assert never
    for number in (AN, "001090000003"):
        for _ in range(5):
            look(portal, number)
            if number == AN:
                look(tax)
    pages = [
        [
            (page["totalUsages"], [(use["action"], use["receiverCode"]) for use in page["usages"]])
            for offset in range(0, 12, 2)
            for page in [portal.usage(number, limit=2, offset=offset).json()]
        ]
        for number in (AN, "001090000003")
    ]
    assert pages[0] == pages[1]
    shown = portal.usage(AN, limit=500)
    assert "G12" not in shown.text
    assert shown.json()["totalUsages"] == len(shown.json()["usages"])


def test_what_was_hidden_is_shown_when_the_hiding_has_ended_and_never_because_a_file_is_gone(
    hide: Callable[[str], None], restarted: Callable[[], tuple[Any, Any]], an: str, editable: Settings
) -> None:
    hide("2999-12-31")
    portal, tax = restarted()
    look(tax)
    path = editable.mappings / "agreements" / "tax-registration.yaml"
    kept = path.read_text("utf-8")
    path.unlink()
    portal, _ = restarted()
    assert portal.usage(AN).json()["totalUsages"] == 0
    path.write_text(kept, "utf-8")
    hide("2026-02-01")
    portal, tax = restarted()
    assert (LOOKUP, "G12", "consulted") in told(portal.usage(AN))


def test_a_hiding_that_begins_later_covers_what_was_asked_since_its_day(
    hide: Callable[[str], None], restarted: Callable[[], tuple[Any, Any]], tax: Any, portal: Any, an: str
) -> None:
    look(tax)
    hide("2999-12-31")
    portal, _ = restarted()
    assert portal.usage(AN).json()["totalUsages"] == 0


def test_no_number_reaches_a_log(portal: Any, an: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        portal.usage(AN)
        portal.usage(AN, search={"person.personal_id": BINH})
        portal.usage("001099999999")
    assert not any(number in caplog.text for number in (AN, BINH, "001099999999"))
