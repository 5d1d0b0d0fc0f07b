from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies
from hypothesis import settings as hypothesis_settings
from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError, RunBusy, StoreError, StoreUnavailable
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection, connect, locked
from tests.api.asking import read_changes

KEY = b"k" * 32
AN = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An", "sex": "female"}


def change(connection: Connection, key: str, **attributes: Any) -> None:
    """Change what is believed and tell of it, as reconciling does; the caller commits."""
    with connection.cursor() as cursor:
        for name, value in attributes.items():
            cursor.execute(
                sql.SQL("update truth.person set {} = %s where person_key = %s").format(sql.Identifier(name)),
                (value, key),
            )
        cursor.execute(
            "insert into share.change (person_key, kind, attributes) values (%s, 'changed', %s)",
            (key, list(attributes)),
        )


def remove(connection: Connection, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("delete from truth.person where person_key = %s", (key,))
        cursor.execute(
            "insert into share.change (person_key, kind, attributes) values (%s, 'removed', %s)",
            (key, ["full_name"]),
        )


@pytest.fixture
def agreement(editable: Settings) -> Agreement:
    return load_agreements(editable)["portal-residence"]


@pytest.fixture
def read(database: Connection, agreement: Agreement) -> Callable[[], list[dict[str, Any]]]:
    """Read all of the feed `residence`."""

    def lines() -> list[dict[str, Any]]:
        with database:
            return read_changes(database, agreement, Start(0, 10_000), KEY).lines

    return lines


@pytest.fixture
def feed(editable: Settings, database: Connection, read: Any) -> Callable[[], list[dict[str, Any]]]:
    """Publish the feed `residence`, and read all of it."""

    def lines() -> list[dict[str, Any]]:
        publish(editable, "residence", database)
        return list(read())

    return lines


def told(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(line["sequence"], line["kind"], line["changed"]) for line in lines]


def test_a_change_becomes_a_line_with_what_is_believed_now(
    feed: Any, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(**AN)
    assert told(feed()) == [(1, "created", ["person.full_name", "person.personal_id", "person.sex"])]
    with database:
        change(database, key, phone="+84912345678")
    first, second = feed()
    assert told([second]) == [(2, "changed", ["person.phone"])]
    assert second["person"] == first["person"]
    assert second["values"]["person.phone"] == "+84912345678"
    assert second["values"]["person.full_name"] == "Nguyễn Thị An"
    assert second["values"]["person.email"] is None


def test_a_change_outside_the_agreement_makes_no_line(
    feed: Any, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(**AN)
    feed()
    with database:
        change(database, key, religion="01")
        change(database, key, blood_type="AB")
    assert len(feed()) == 1
    with database:
        change(database, key, religion="02", sex="male")
    assert told(feed())[1:] == [(2, "changed", ["person.sex"])]


def test_changes_of_one_person_become_one_line(
    feed: Any, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(**AN)
    with database:
        change(database, key, phone="+84912345678")
    with database:
        change(database, key, phone="+84987654321", email="an@example.vn")
    (line,) = feed()
    assert line["kind"] == "created"
    assert {"person.email", "person.phone", "person.full_name"} <= set(line["changed"])
    assert line["values"]["person.phone"] == "+84987654321"


def test_publishing_again_adds_nothing(
    feed: Any, editable: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    believe(**AN)
    before = feed()
    report = publish(editable, "residence", database)
    assert (report.feed, report.changes, report.last_sequence) == ("residence", 0, 1)
    assert feed() == before


def test_a_removed_person_is_reported_once_and_without_values(
    feed: Any, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(**AN)
    feed()
    with database:
        remove(database, key)
    last = feed()[-1]
    assert (last["kind"], last["values"], last["changed"]) == ("removed", {}, [])
    with database:
        remove(database, key)
    assert len(feed()) == 2


def test_a_person_added_and_removed_between_publications_is_not_reported(
    feed: Any, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(**AN)
    with database:
        remove(database, key)
    assert feed() == []


def test_a_transaction_still_open_is_waited_for_and_not_passed(
    feed: Any,
    read: Any,
    editable: Settings,
    database: Connection,
    other: Connection,
    believe: Callable[..., str],
) -> None:
    slow, quick = believe(**AN), believe(personal_id="001084000111", full_name="Lê Văn Bình")
    assert len(feed()) == 2
    change(other, slow, phone="+84911111111")
    with database:
        change(database, quick, phone="+84922222222")
    # The quick one has the higher numbers and is committed; telling of it now would pass the slow one by.
    with pytest.raises(StoreUnavailable, match="1 changes wait"):
        publish(editable, "residence", database, patience=0)
    assert len(read()) == 2
    other.commit()
    assert [line["values"]["person.phone"] for line in feed()[2:]] == ["+84911111111", "+84922222222"]


def test_a_later_transaction_that_took_its_numbers_first_is_not_passed_by_either(
    feed: Any, other: Connection, third: Connection, believe: Callable[..., str]
) -> None:
    an, binh = believe(**AN), believe(personal_id="001084000111", full_name="Lê Văn Bình")
    feed()
    with other.cursor() as cursor:
        cursor.execute("select pg_current_xact_id()")
    change(third, an, phone="+84911111111")
    change(other, binh, phone="+84922222222")
    other.commit()
    assert [line["values"]["person.phone"] for line in feed()[2:]] == ["+84922222222"]
    third.commit()
    assert [line["values"]["person.phone"] for line in feed()[2:]] == ["+84922222222", "+84911111111"]


def test_a_transaction_rolled_back_leaves_no_line_and_no_gap(
    feed: Any, database: Connection, other: Connection, believe: Callable[..., str]
) -> None:
    key = believe(**AN)
    feed()
    change(other, key, phone="+84911111111")
    other.rollback()
    with database:
        change(database, key, phone="+84922222222")
    assert [line["sequence"] for line in feed()] == [1, 2]


def test_a_publishing_that_is_killed_loses_nothing(
    feed: Any, editable: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    believe(**AN)
    with database, database.cursor() as cursor:
        cursor.execute(
            "create function public.die() returns trigger language plpgsql as "
            "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$"
        )
        cursor.execute(
            "create trigger die after insert on share.feed_entry "
            "for each statement execute function public.die()"
        )
    assert editable.database_url is not None
    doomed = connect(editable.database_url)
    with pytest.raises(StoreUnavailable, match="publishing residence"):
        publish(editable, "residence", doomed)
    with database, database.cursor() as cursor:
        cursor.execute("drop trigger die on share.feed_entry")
    assert told(feed())[0][:2] == (1, "created")


def test_a_change_that_the_database_refuses_is_reported_without_its_values(
    editable: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    believe(**AN)
    with database, database.cursor() as cursor:
        cursor.execute("alter table share.feed_entry add constraint none check (line is null)")
    with pytest.raises(StoreError, match="publishing residence") as caught:
        publish(editable, "residence", database)
    assert AN["full_name"] not in str(caught.value)


def test_two_do_not_publish_one_feed_at_once(
    editable: Settings, database: Connection, other: Connection
) -> None:
    with locked(other, "publish residence"), pytest.raises(RunBusy):
        publish(editable, "residence", database)
    assert publish(editable, "residence", database).changes == 0


def test_feeds_have_their_own_sequence_and_see_their_own_attributes(
    feed: Any, editable: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(**AN)
    feed()
    publish(editable, "taxpayers", database)
    with database:
        change(database, key, email="an@example.vn")
    assert len(feed()) == 2
    assert publish(editable, "taxpayers", database).last_sequence == 1


def test_publishing_waits_for_an_older_transaction_and_reports_one_that_does_not_end(
    editable: Settings, database: Connection, other: Connection, believe: Callable[..., str]
) -> None:
    with other.cursor() as cursor:
        cursor.execute("select pg_current_xact_id()")
    believe(**AN)
    with pytest.raises(StoreUnavailable, match="feed residence: 1 changes wait for an older transaction"):
        publish(editable, "residence", database, patience=0)
    ending = threading.Timer(0.3, other.commit)
    ending.start()
    assert publish(editable, "residence", database).changes == 1
    ending.join()


def test_an_agreement_out_of_force_gets_no_lines_until_it_is_again(
    feed: Any, editable: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    believe(**AN)
    path = editable.mappings / "agreements" / "portal-residence.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("until: 2999-12-31", "until: 2026-01-02"), "utf-8")
    assert publish(editable, "residence", database).changes == 0
    path.write_text(text, "utf-8")
    assert publish(editable, "residence", database).changes == 1


def test_an_unknown_feed_is_reported_with_the_nearest_name(editable: Settings, database: Connection) -> None:
    with pytest.raises(ConfigError, match="no agreement has a feed 'residense'; did you mean 'residence'"):
        publish(editable, "residense", database)


PERSONS = ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b")
STEPS = strategies.lists(
    strategies.one_of(
        strategies.tuples(
            strategies.just("change"),
            strategies.sampled_from(PERSONS),
            strategies.sampled_from(["phone", "email", "religion"]),
            strategies.sampled_from(["1", "2", None]),
        ),
        strategies.tuples(strategies.just("remove"), strategies.sampled_from(PERSONS)),
        strategies.tuples(strategies.just("publish")),
    ),
    max_size=12,
)


@hypothesis_settings(max_examples=hypothesis_settings.default.max_examples // 2)
@given(STEPS)
def test_a_consumer_that_follows_the_feed_holds_what_is_believed(
    editable: Settings, agreement: Agreement, database: Connection, steps: list[tuple[Any, ...]]
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("truncate truth.person, share.change, share.feed_entry, share.feed")
    for step in steps:
        if step[0] == "publish":
            publish(editable, "residence", database)
            continue
        with database:
            if step[0] == "remove":
                remove(database, step[1])
                continue
            with database.cursor() as cursor:
                cursor.execute(
                    "insert into truth.person (person_key, provenance, believed_from) "
                    "values (%s, '{}', now()) on conflict do nothing",
                    (step[1],),
                )
            change(database, step[1], **{step[2]: step[3]})
    publish(editable, "residence", database)
    lines = read_changes(database, agreement, Start(0, 10_000), KEY).lines
    held: dict[str, dict[str, Any]] = {}
    for line in lines:
        assert (line["person"] in held) == (line["kind"] != "created")
        if line["kind"] == "removed":
            del held[line["person"]]
        else:
            held[line["person"]] = line["values"]
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    with database, database.cursor() as cursor:
        cursor.execute("select phone, email from truth.person where coalesce(phone, email) is not null")
        believed = sorted(cursor.fetchall(), key=str)
    consumed = [(values["person.phone"], values["person.email"]) for values in held.values()]
    assert sorted((pair for pair in consumed if any(pair)), key=str) == believed


def test_a_merged_person_leads_to_the_surviving_one(
    database: Connection, believe: Callable[..., str], feed: Callable[[], list[dict[str, Any]]]
) -> None:
    survivor, joined = believe(**AN), believe(**AN | {"personal_id": "001084000998"})
    with database:
        change(database, survivor, full_name="Nguyễn Thị Ân")
        change(database, joined, full_name="Nguyễn Thị Ân")
    known = {line["person"] for line in feed()}
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.link (source, stream, source_key, person_key, method) "
            "select 'population', 'citizens', key, key::uuid, 'register' from unnest(%s) key "
            "on conflict do nothing",
            ([survivor, joined],),
        )
        cursor.execute(
            "insert into truth.merge_decision (person_key, merged_into, verdict, reason, decided_by) "
            "values (%s, %s, 'one', 'seen', 'clerk')",
            (joined, survivor),
        )
        remove(database, joined)
    gone = feed()[-1]
    assert (gone["kind"], gone["values"]) == ("removed", {})
    assert {gone["person"], gone["merged_into"]} == known
