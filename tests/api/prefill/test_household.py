"""The members of a household: whoever names the same head, all of them or none, each on record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.store.connection import Connection

IDENTITY, CODE, ITEM = "portal-identity", "dvctt-02", "household_members"
HEAD, WIFE, SON, LODGER = "001060000011", "001162000022", "001090000033", "001095000044"
HEAD_THEN = "001060000099"
MOST_MEMBERS = 50
LISTED = ["person.full_name", "person.household_head", "person.personal_id", "person.relation_to_head"]
HERE = {"unit": "00004", "edition": "2025-07-01", "detail": None}


@pytest.fixture
def identity(admit: Callable[..., Any]) -> Any:
    return admit(IDENTITY)


@pytest.fixture
def move_in(believe: Callable[..., str]) -> Callable[..., str]:
    """Believe somebody to be of a household: `move_in(number, name, relation)`."""

    def add(who: str, name: str | None, relation: str, head: str | None = HEAD, **more: Any) -> str:
        named = {"personal_id": head, "full_name": "Trần Văn Chủ"}
        held = {"personal_id": who, "full_name": name, "relation_to_head": relation, "household_head": named}
        return believe(**held | {"life_status": "alive"} | more)

    return add


@pytest.fixture
def family(move_in: Callable[..., str]) -> dict[str, str]:
    """A head, his wife and their son: number -> key."""
    return {
        HEAD: move_in(HEAD, "Trần Văn Chủ", "head", former=[HEAD_THEN], religion="01"),
        WIFE: move_in(WIFE, "Lê Thị Vợ", "spouse"),
        SON: move_in(SON, "Trần Văn Con", "child"),
    }


def form_of(agency: Any, who: str, code: str = CODE) -> dict[str, Any]:
    answer = agency.prefill(code, {"person.personal_id": who})
    assert answer.status_code == 200, answer.text
    form: dict[str, Any] = answer.json()
    return form


def reason(agency: Any, who: str) -> str:
    return str(form_of(agency, who)["missing_items"][ITEM]["reason"])


def row(name: str, number: str, relation: str) -> dict[str, str]:
    return {"full_name": name, "personal_id": number, "relation_to_head": relation}


def run(database: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with database, database.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def test_the_others_who_name_the_same_head_are_listed_in_order(identity: Any, family: dict[str, str]) -> None:
    (head, wife, son) = (
        row("Trần Văn Chủ", HEAD, "head"),
        row("Lê Thị Vợ", WIFE, "spouse"),
        row("Trần Văn Con", SON, "child"),
    )
    item = form_of(identity, SON)["items"][ITEM]
    assert item["value"] == [wife, head]
    assert [each["relation_to_head"] for each in item["labels"]] == [
        {"vi": "Vợ/chồng", "en": "Spouse"},
        {"vi": "Chủ hộ", "en": "Head of household"},
    ]
    assert item["confidence"] == {"level": "authority", "sources": 1, "weight": None}
    assert (item["source"], item["confirm"], item["disputed"]) == ("population", True, False)
    assert form_of(identity, HEAD)["items"][ITEM]["value"] == [wife, son]


def test_who_lives_alone_has_an_empty_list(identity: Any, move_in: Callable[..., str]) -> None:
    move_in(HEAD, "Trần Văn Chủ", "head")
    move_in(LODGER, "Phạm Văn Trọ", "head", head=LODGER)
    item = form_of(identity, HEAD)["items"][ITEM]
    assert (item["value"], item["source"]) == ([], "population")
    assert item["as_of"] is not None


def test_another_service_lists_the_household_too(admit: Callable[..., Any], family: dict[str, str]) -> None:
    items = form_of(admit("portal-essential"), SON, "dvctt-17")["items"]
    assert [each["personal_id"] for each in items[ITEM]["value"]] == [WIFE, HEAD]


def test_the_dead_and_the_missing_are_of_no_household(
    identity: Any, family: dict[str, str], move_in: Callable[..., str], log: Any
) -> None:
    move_in(LODGER, "Ông Đã Mất", "parent", life_status="deceased")
    move_in("001095000055", "Bà Mất Tích", "parent", life_status="missing")
    assert len(form_of(identity, SON)["items"][ITEM]["value"]) == 2
    assert len(log()) == 3


def test_a_former_number_leads_to_the_same_head(
    identity: Any, family: dict[str, str], move_in: Callable[..., str]
) -> None:
    move_in(LODGER, "Phạm Văn Trọ", "other", head=HEAD_THEN)
    assert len(form_of(identity, SON)["items"][ITEM]["value"]) == 3
    assert len(form_of(identity, LODGER)["items"][ITEM]["value"]) == 3


def test_a_number_leads_to_who_has_it_now_and_not_to_who_had_it(
    identity: Any, family: dict[str, str], move_in: Callable[..., str]
) -> None:
    move_in(LODGER, "Phạm Văn Trọ", "head", head=LODGER, former=[HEAD])
    assert form_of(identity, LODGER)["items"][ITEM]["value"] == []
    assert len(form_of(identity, SON)["items"][ITEM]["value"]) == 2


def test_each_member_has_a_line_of_the_log_with_what_left_of_them(
    identity: Any, family: dict[str, str], database: Connection, editable: Settings
) -> None:
    form_of(identity, SON)
    lines = run(
        database,
        "select person, involvement, attributes, outcome from audit.entry "
        "where action <> 'refusals' and outcome <> 'opened'",
    )
    key = pseudonym_key(editable.home)
    about = {person: rest for person, *rest in lines}
    assert len(lines) == len(about) == 3
    for who in (HEAD, WIFE):
        assert about[person_pseudonym(key, family[who])] == ["appeared", LISTED, "answered"]
    consulted = about[person_pseudonym(key, family[SON])]
    assert consulted[0] == "consulted"
    assert "person.household_head" in consulted[1]


def test_a_member_who_is_a_relative_of_the_form_too_has_one_line(
    identity: Any, move_in: Callable[..., str], log: Any
) -> None:
    wife = {"personal_id": WIFE, "full_name": "Lê Thị Vợ"}
    move_in(HEAD, "Trần Văn Chủ", "head", spouse=wife)
    move_in(WIFE, "Lê Thị Vợ", "spouse")
    hub = identity.http.app.state.hub
    items = hub.procedures["dvctt-12"].items | {ITEM: hub.procedures[CODE].items[ITEM]}
    hub.procedures["dvctt-12"] = hub.procedures["dvctt-12"].model_copy(update={"items": items})
    form_of(identity, HEAD, "dvctt-12")
    assert len(log()) == 2


@pytest.mark.parametrize(
    ("head", "told"),
    [({"head": None}, "relative_unknown"), ({"head": "001060000077"}, "relative_unknown")],
)
def test_without_a_head_whom_the_hub_knows_there_is_no_household(
    identity: Any, move_in: Callable[..., str], log: Any, head: dict[str, str | None], told: str
) -> None:
    move_in(SON, "Trần Văn Con", "child", **head)
    move_in(LODGER, "Phạm Văn Trọ", "other", **head)
    assert reason(identity, SON) == told
    assert len(log()) == 1


def test_a_head_whose_number_two_people_claim_leads_to_no_household(
    identity: Any, family: dict[str, str], database: Connection
) -> None:
    run(database, "update truth.identifier set contested = true where value = %s", HEAD)
    assert reason(identity, SON) == "relative_unknown"


@pytest.mark.parametrize("whose", [SON, WIFE])
def test_where_sources_disagree_on_the_head_of_anybody_the_household_is_asked(
    identity: Any, family: dict[str, str], database: Connection, disagree: Callable[..., int], whose: str
) -> None:
    disagree(family[whose], "household_head")
    item = form_of(identity, SON)["items"][ITEM]
    assert (len(item["value"]), item["disputed"]) == (2, True)
    run(
        database,
        "update truth.person set provenance = jsonb_set(provenance, '{household_head,rule}', '\"trust\"')",
    )
    assert reason(identity, SON) == "conflicting"


def test_a_list_with_a_gap_is_none(
    identity: Any, family: dict[str, str], move_in: Callable[..., str]
) -> None:
    move_in(LODGER, None, "other")
    assert reason(identity, SON) == "not_known"


def test_a_household_of_a_whole_commune_is_a_mistake_and_stays_where_it_is(
    identity: Any, move_in: Callable[..., str], log: Any
) -> None:
    for place in range(MOST_MEMBERS + 1):
        move_in(f"0011900{place:05}", f"Nguyễn Văn {place}", "other", head="001190000000")
    first = "001190000000"
    assert len(form_of(identity, first)["items"][ITEM]["value"]) == MOST_MEMBERS
    before = len(log())
    move_in(LODGER, "Phạm Văn Trọ", "other", head=first)
    assert reason(identity, first) == "too_many"
    assert len(log()) == before + 1


def test_a_list_is_as_sure_as_what_in_it_is_the_least_sure_and_as_old_as_the_oldest(
    identity: Any, family: dict[str, str], database: Connection
) -> None:
    change = "update truth.person set provenance = jsonb_set(provenance, %s, %s) where person_key = %s"
    doubted = '{"source": "tax", "rule": "trust", "as_of": "2026-03-01T00:00:00+00:00"}'
    run(database, change, "{full_name}", doubted, family[WIFE])
    run(database, change, "{relation_to_head,as_of}", '"2019-05-01T00:00:00+00:00"', family[HEAD])
    item = form_of(identity, SON)["items"][ITEM]
    assert (item["source"], item["confidence"]["level"]) == ("tax", "single")
    assert item["as_of"] == "2019-05-01T00:00:00+00:00"


def test_a_member_who_is_not_covered_withholds_the_whole_household(
    ward: str,
    admit: Callable[..., Any],
    move_in: Callable[..., str],
    database: Connection,
    editable: Settings,
) -> None:
    agency = admit(ward)
    move_in(HEAD, "Trần Văn Chủ", "head", permanent_address=HERE)
    move_in(SON, "Trần Văn Con", "child", permanent_address=HERE)
    assert form_of(agency, SON)["items"][ITEM]["value"] == [row("Trần Văn Chủ", HEAD, "head")]

    away = move_in(LODGER, "Phạm Văn Trọ", "other", permanent_address=HERE | {"unit": "26740"})
    answer = agency.prefill(CODE, {"person.personal_id": SON})
    assert answer.json()["missing_items"][ITEM]["reason"] == "not_allowed"
    assert not [word for word in (LODGER, "Phạm", "26740") if word in answer.text]
    people = {
        person for (person,) in run(database, "select person from audit.entry where action <> 'refusals'")
    }
    assert person_pseudonym(pseudonym_key(editable.home), away) not in people


def test_without_the_relation_in_the_agreement_no_relative_is_consulted(
    identity: Any, family: dict[str, str], log: Any
) -> None:
    agreements = identity.http.app.state.hub.agreements
    agreements[IDENTITY] = agreements[IDENTITY].model_copy(update={"relatives": ("father",)})
    answer = identity.prefill(CODE, {"person.personal_id": SON})
    assert answer.json()["missing_items"][ITEM]["reason"] == "not_allowed"
    assert "Lê Thị" not in answer.text
    assert len(log()) == 1


def send_back(agency: Any, form: dict[str, Any], given: dict[str, Any]) -> Any:
    answers = {name: {"kind": "confirmed"} for name, item in form["items"].items() if item["confirm"]}
    answers |= {name: {"kind": "none"} for name in form["missing_items"]}
    who = form["items"]["personal_id"]["value"]
    body = {"request_id": form["request_id"], "search": {"person.personal_id": who}, "dossier": "G01-1"}
    path = f"/v1/procedures/{CODE}/submissions"
    body |= {"answers": answers | {ITEM: given}}
    return agency.http.post(path, json=agency.proving(who, path, body), headers=agency.headers())


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "confirmed"},
        {"kind": "none"},
        {"kind": "corrected", "value": [row("Lê Thị Vợ", WIFE, "spouse"), {"full_name": "Trần Thị Mới"}]},
    ],
)
def test_what_comes_back_of_a_household_is_checked_and_not_kept(
    identity: Any, family: dict[str, str], given: dict[str, Any]
) -> None:
    answer = send_back(identity, form_of(identity, SON), given)
    assert answer.status_code == 202, answer.text
    assert ITEM not in answer.json()["kept"]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("sentinel", ""),
        ([], ""),
        ([{"full_name": "sentinel"}] * (MOST_MEMBERS + 1), ""),
        (["sentinel"], "/0"),
        ([{"full_name": "An"}, {"full_name": None}], "/1"),
        ([{"phone": "sentinel"}], "/0"),
        ([{"full_name": "An", "personal_id": "sentinel"}], "/0/personal_id"),
        ([{"full_name": "sentinel\u0007"}], "/0/full_name"),
        ([{"full_name": ["sentinel"]}], "/0/full_name"),
    ],
)
def test_a_list_out_of_form_is_refused_with_its_place_and_without_its_value(
    identity: Any, family: dict[str, str], value: Any, place: str
) -> None:
    answer = send_back(identity, form_of(identity, SON), {"kind": "corrected", "value": value})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {f"#/answers/{ITEM}/value{place}"}
    assert "sentinel" not in answer.text


def test_a_list_is_described(identity: Any) -> None:
    value = identity.http.app.openapi()["components"]["schemas"]["FilledItem"]["properties"]["value"]
    (described,) = [kind for kind in value["anyOf"] if kind["type"] == "array"]
    assert described["items"]["type"] == "object"


def test_nothing_of_a_household_reaches_a_log(
    identity: Any, family: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        form_of(identity, SON)
    held = (HEAD, WIFE, SON, "Trần", "Vợ", *family.values())
    assert not any(text in caplog.text for text in held)
