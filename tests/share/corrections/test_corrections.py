from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies
from hypothesis import settings as hypothesis_settings
from psycopg2.extras import Json, RealDictCursor

from oncehub.errors import ConfigError, RunBusy, StoreUnavailable
from oncehub.settings import Settings
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.store.connection import Connection, locked

AN = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An", "sex": "female"}

Disagree = Callable[..., int]
Notices = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def kept(database: Connection) -> Notices:
    """Return all that the source `tax` was told."""

    def lines() -> list[dict[str, Any]]:
        with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute("select * from share.notice where source = 'tax' order by sequence")
            return [dict(row) for row in cursor.fetchall()]

    return lines


@pytest.fixture
def notices(editable: Settings, database: Connection, kept: Notices) -> Notices:
    """Publish to the source `tax`, and return all that it was told."""

    def lines() -> list[dict[str, Any]]:
        publish_corrections(editable, "tax", database)
        return kept()

    return lines


def told(lines: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(line["sequence"], line["notice"], line["change"]) for line in lines]


def test_a_discrepancy_is_reported_with_both_values_and_their_sources(
    notices: Notices, believe: Callable[..., str], disagree: Disagree
) -> None:
    disagree(believe(**AN), "full_name", stated="Nguyễn Thị Anh", believed="Nguyễn Thị An", key="8001")
    (notice,) = notices()
    line = notice["line"]
    assert told([notice]) == [(1, 1, "opened")]
    assert line.pop("opened_at").startswith("20")
    assert line == {
        "kind": "conflict",
        "record": {"stream": "registrations", "key": "8001"},
        "attribute": "person.full_name",
        "source_value": "Nguyễn Thị Anh",
        "stated_at": "2026-04-01T00:00:00+00:00",
        "golden_value": "Nguyễn Thị An",
        "asserted_by": {"source": "population", "as_of": "2026-05-01T01:02:03+00:00"},
        "closed_at": None,
    }


def test_it_is_sent_again_when_it_changes_and_when_it_closes_and_keeps_its_number(
    notices: Notices, believe: Callable[..., str], disagree: Disagree, alter: Callable[..., None]
) -> None:
    person = believe(**AN)
    disagree(person, "full_name", key="8001")
    found = disagree(person, "full_name", key="8002")
    notices()
    alter(found, source_value=Json("Nguyễn Thị Anh Thư"))
    assert told(notices())[2:] == [(3, 2, "changed")]
    alter(found, closed_at="2099-01-01", closed_because="corrected")
    closing = notices()[3:]
    assert told(closing) == [(4, 2, "closed")]
    assert closing[0]["line"]["closed_at"].startswith("2099-01-01")


def test_a_repeated_statement_is_not_reported_again(
    notices: Notices, believe: Callable[..., str], disagree: Disagree, alter: Callable[..., None]
) -> None:
    found = disagree(believe(**AN), "full_name")
    notices()
    alter(found, stated_at="2026-06-01", as_of="2026-06-02")
    assert len(notices()) == 1


def test_a_discrepancy_that_came_and_went_between_two_publications_is_not_reported(
    notices: Notices, believe: Callable[..., str], disagree: Disagree, alter: Callable[..., None]
) -> None:
    alter(disagree(believe(**AN), "full_name"), closed_at="2099-01-01", closed_because="corrected")
    assert notices() == []


def test_neither_other_sources_nor_attributes_outside_the_agreement_are_disclosed(
    notices: Notices, believe: Callable[..., str], disagree: Disagree
) -> None:
    person = believe(**AN, religion="01")
    disagree(person, "full_name", source="customs")
    disagree(person, "religion")
    assert notices() == []


def test_an_attribute_that_the_agreement_gains_is_reported_from_then_on(
    notices: Notices,
    editable: Settings,
    database: Connection,
    believe: Callable[..., str],
    disagree: Disagree,
) -> None:
    path = editable.mappings / "agreements" / "tax-registration.yaml"
    text = path.read_text("utf-8")
    apart = "without_value: [person.email]"
    assert apart in text
    disagree(believe(**AN), "email", stated="a@example.vn", believed="b@example.vn")
    told_of: list[tuple[int, Any]] = []
    for wording in (
        text.replace(apart, ""),
        text,
        text.replace(apart, "").replace("- person.phone", "- person.phone\n  - person.email"),
    ):
        path.write_text(wording, "utf-8")
        report = publish_corrections(editable, "tax", database)
        assert publish_corrections(editable, "tax", database).changes == 0
        lines = notices()
        told_of.append((report.changes, lines[-1]["line"]["golden_value"] if lines else None))
    assert told_of == [(0, None), (1, None), (1, "b@example.vn")]
    assert told(notices()) == [(1, 1, "opened"), (2, 1, "changed")]


def test_a_record_about_another_person_discloses_nothing_of_them(
    notices: Notices, believe: Callable[..., str], disagree: Disagree
) -> None:
    owner = believe(**AN)
    disagree(
        owner, "personal_id", kind="wrong_person", stated=AN["personal_id"], believed=AN["full_name"], key="8"
    )
    (notice,) = notices()
    line = notice["line"]
    assert (line["source_value"], line["golden_value"], line["asserted_by"]) == (
        AN["personal_id"],
        None,
        None,
    )
    assert owner not in str(line)
    assert "Nguyễn" not in str(line)


def test_of_a_duplicate_the_record_to_keep_is_named_without_a_source(
    notices: Notices, believe: Callable[..., str], disagree: Disagree
) -> None:
    disagree(believe(**AN), "full_name", kind="duplicate", stated="8002", believed="8001", key="8002")
    (notice,) = notices()
    line = notice["line"]
    assert (line["source_value"], line["golden_value"], line["asserted_by"]) == ("8002", "8001", None)


def test_a_transaction_still_open_is_waited_for_and_not_passed(
    notices: Notices,
    kept: Notices,
    editable: Settings,
    database: Connection,
    other: Connection,
    believe: Callable[..., str],
    disagree: Disagree,
) -> None:
    person = believe(**AN)
    disagree(person, "full_name", key="8001", connection=other, commit=False)
    disagree(person, "full_name", key="8002")
    with pytest.raises(StoreUnavailable, match=r"feed corrections\.tax: 1 changes wait"):
        publish_corrections(editable, "tax", database, patience=0)
    assert kept() == []
    other.commit()
    assert [notice["line"]["record"]["key"] for notice in notices()] == ["8001", "8002"]


def test_a_publishing_that_is_killed_loses_nothing(
    notices: Notices,
    kept: Notices,
    editable: Settings,
    database: Connection,
    other: Connection,
    believe: Callable[..., str],
    disagree: Disagree,
) -> None:
    disagree(believe(**AN), "full_name")
    with database, database.cursor() as cursor:
        cursor.execute(
            "create function public.die() returns trigger language plpgsql as "
            "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$"
        )
        cursor.execute(
            "create trigger die after insert on share.notice for each statement execute function public.die()"
        )
    with pytest.raises(StoreUnavailable, match=r"publishing corrections\.tax"):
        publish_corrections(editable, "tax", other)
    assert kept() == []
    with database, database.cursor() as cursor:
        cursor.execute("drop trigger die on share.notice")
    assert told(notices()) == [(1, 1, "opened")]


def test_two_do_not_publish_to_one_source_at_once(
    editable: Settings, database: Connection, other: Connection
) -> None:
    with locked(other, "publish corrections.tax"), pytest.raises(RunBusy):
        publish_corrections(editable, "tax", database)


def test_without_an_agreement_in_force_nothing_is_disclosed_until_there_is(
    editable: Settings, database: Connection, believe: Callable[..., str], disagree: Disagree
) -> None:
    disagree(believe(**AN), "full_name")
    path = editable.mappings / "agreements" / "tax-registration.yaml"
    text = path.read_text("utf-8")
    for ended in (
        text.replace("until: 2999-12-31", "until: 2026-01-02"),
        text.replace("Điều 3 khoản 3, from: 2026-01-01", "Điều 3 khoản 3, from: 2998-01-01"),
    ):
        assert ended != text
        path.write_text(ended, "utf-8")
        assert publish_corrections(editable, "tax", database).changes == 0
    path.write_text(text, "utf-8")
    assert publish_corrections(editable, "tax", database).changes == 1


def test_a_source_without_an_agreement_is_distinguished(editable: Settings, database: Connection) -> None:
    with pytest.raises(ConfigError, match="no agreement has corrections of the source 'customs'"):
        publish_corrections(editable, "customs", database)


RECORDS = ("8001", "8002")
STEPS = strategies.lists(
    strategies.one_of(
        strategies.tuples(
            strategies.just("open"), strategies.sampled_from(RECORDS), strategies.sampled_from("abc")
        ),
        strategies.tuples(strategies.just("close"), strategies.sampled_from(RECORDS)),
        strategies.tuples(strategies.just("publish")),
    ),
    max_size=12,
)


@hypothesis_settings(max_examples=hypothesis_settings.default.max_examples // 2)
@given(STEPS)
def test_a_source_that_follows_its_notices_knows_every_open_discrepancy(
    notices: Notices,
    database: Connection,
    disagree: Disagree,
    alter: Callable[..., None],
    steps: list[tuple[Any, ...]],
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("truncate truth.discrepancy, share.notice, share.correction_feed cascade")
    person, standing = str(uuid.uuid4()), dict[str, tuple[int, str]]()
    for step in steps:
        match step:
            case ("publish",):
                notices()
            case ("close", key) if key in standing:
                alter(standing.pop(key)[0], closed_at="2099-01-01", closed_because="corrected")
            case ("open", key, stated) if key in standing:
                alter(standing[key][0], source_value=Json(stated))
                standing[key] = (standing[key][0], stated)
            case ("open", key, stated):
                standing[key] = (disagree(person, "full_name", stated=stated, key=key), stated)
    lines = notices()
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    known: dict[int, tuple[str, str]] = {}
    for line in lines:
        assert (line["notice"] in known) == (line["change"] != "opened")
        if line["change"] == "closed":
            del known[line["notice"]]
        else:
            known[line["notice"]] = (line["line"]["record"]["key"], line["line"]["source_value"])
    assert sorted(known.values()) == sorted((key, stated) for key, (_, stated) in standing.items())
