"""What one batch changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from psycopg2 import sql

from oncehub.intake.landing import statements


def person(name: str = "Trần Văn Bình", **more: Any) -> dict[str, list[dict[str, Any]]]:
    return {"person": [{"full_name": name, **more}]}


ADDRESS = {"unit": "00004", "edition": "2025-07-01", "detail": None}


def column(bench: Any, entity: str, name: str) -> list[Any]:
    place = 2 + list(bench.entities[entity].attributes).index(name)
    return [row[place] for row in bench.living(entity)]


def test_every_kind_of_value_arrives_as_it_was(bench, statement) -> None:
    name = 'Đỗ "Quý", Nguyễn\n\\.\n\\N'
    bench.land(statement("k", 1, person(name, phone="", email=None, permanent_address=ADDRESS)))
    assert column(bench, "person", "full_name") == [name]
    assert column(bench, "person", "phone") == [""]
    assert column(bench, "person", "email") == [None]
    assert column(bench, "person", "permanent_address") == [ADDRESS]
    assert column(bench, "person", "hometown") == [None]


def test_dates_and_booleans_arrive_as_such(bench, statement) -> None:
    bench.land(
        statement(
            "k",
            1,
            {
                "tax_registration": [{"tax_code": "0100109106", "registered_on": date(2020, 2, 29)}],
                "document": [{"file_id": "f", "digitised": True, "reusable": False}],
            },
        )
    )
    assert column(bench, "tax_registration", "registered_on") == [date(2020, 2, 29)]
    assert column(bench, "document", "digitised") == [True]
    assert column(bench, "document", "from_repository") == [None]


def test_a_repeated_batch_changes_nothing_and_writes_nothing(bench, statement) -> None:
    batch = [statement(f"k{n}", n, person(permanent_address=ADDRESS)) for n in range(5)]
    assert bench.land(*batch).accepted == 5
    bench.clean()
    written = bench.query("select xmin::text, ctid::text from record.person order by source_key")
    assert bench.land(*batch).accepted == 0
    assert bench.dirty() == {}
    assert bench.query("select xmin::text, ctid::text from record.person order by source_key") == written


def test_only_the_record_that_differs_is_accepted_and_dirty(bench, statement) -> None:
    bench.land(statement("a", 1, person()), statement("b", 1, person()))
    bench.clean()
    assert bench.land(statement("a", 2, person("Trần Văn Bính")), statement("b", 1, person())).accepted == 1
    assert set(bench.dirty()) == {"a"}


def test_the_same_statement_read_through_a_changed_mapping_replaces_its_row(bench, statement) -> None:
    bench.land(statement("a", 1, person(sex="male")))
    assert bench.land(statement("a", 1, person(sex="female"))).accepted == 1
    assert column(bench, "person", "sex") == ["female"]


def test_rows_of_an_entity_that_the_mapping_makes_no_more_go_with_the_next_reading(bench, statement) -> None:
    bench.land(statement("a", 1, {**person(), "tax_registration": [{"tax_code": "0100109106"}]}))
    batch = bench.batch([statement("a", 1, person())])
    with bench.database:
        landed = bench.landing.land(replace(batch, frames={"person": batch.frames["person"]}))
    assert landed.accepted == 1
    assert bench.living("tax_registration") == []
    assert column(bench, "person", "full_name") == ["Trần Văn Bình"]


def test_a_record_is_marked_once_for_every_batch_that_changes_it(bench, statement) -> None:
    former = [{"personal_id": "001084000999"}, {"personal_id": "001084000998"}]
    bench.land(statement("a", 1, {**person(), "former_identifier": former}))
    assert bench.dirty() == {"a": 1}
    bench.land(statement("a", 2, {**person("Trần Văn Bính"), "former_identifier": former[:1]}))
    bench.land(statement("a", 2, {**person("Trần Văn Bính"), "former_identifier": former[:1]}))
    assert bench.dirty() == {"a": 2}


def test_records_that_state_no_person_are_never_dirty(bench, statement) -> None:
    bench.land(statement("a", 1, {"bank_account": [{"account_number": "1", "consent_reference": "c"}]}))
    assert bench.dirty() == {}


def test_an_older_statement_changes_nothing(bench, statement) -> None:
    bench.land(statement("a", 2, person("Mới")))
    bench.clean()
    older = {**person("Cũ"), "tax_registration": [{"tax_code": "0100109106"}]}
    assert bench.land(statement("a", 1, older)).accepted == 0
    assert column(bench, "person", "full_name") == ["Mới"]
    assert bench.living("tax_registration") == []
    assert bench.dirty() == {}


def test_a_deletion_ends_all_rows_of_its_record_and_makes_the_person_dirty(bench, statement) -> None:
    rows = {**person(), "tax_registration": [{"tax_code": "0100109106"}]}
    bench.land(statement("a", 1, rows), statement("b", 1, person()))
    bench.clean()
    landed = bench.land(statement("a", 2, deleted=True))
    assert (landed.accepted, landed.deleted) == (0, 1)
    assert [row[0] for row in bench.living("person")] == ["b"]
    assert bench.living("tax_registration") == []
    assert set(bench.dirty()) == {"a"}
    assert bench.land(statement("a", 2, deleted=True)).deleted == 0


def test_a_tombstone_older_than_the_landed_statement_does_nothing(bench, statement) -> None:
    bench.land(statement("a", 2, person()))
    assert bench.land(statement("a", 1, deleted=True)).deleted == 0
    assert len(bench.living("person")) == 1


def test_a_statement_older_than_a_deletion_does_nothing_even_when_the_deletion_came_first(
    bench, statement
) -> None:
    assert bench.land(statement("a", 2, deleted=True)).deleted == 0
    assert bench.land(statement("a", 1, person())).accepted == 0
    assert bench.living("person") == []


def test_a_deletion_and_a_statement_of_the_same_moment_end_in_a_deletion(bench, statement) -> None:
    bench.land(statement("a", 1, person()), statement("b", 1, deleted=True))
    bench.land(statement("a", 1, deleted=True), statement("b", 1, person()))
    assert bench.living("person") == []


def test_a_statement_after_the_deletion_brings_the_record_back(bench, statement) -> None:
    bench.land(statement("a", 1, person()))
    bench.land(statement("a", 2, deleted=True))
    bench.clean()
    assert bench.land(statement("a", 3, person())).accepted == 1
    assert len(bench.living("person")) == 1
    assert set(bench.dirty()) == {"a"}


def test_a_row_that_the_newest_statement_no_longer_makes_is_deleted(bench, statement) -> None:
    bench.land(statement("a", 1, {**person(), "tax_registration": [{"tax_code": "0100109106"}]}))
    assert bench.land(statement("a", 2, person())).accepted == 1
    assert bench.living("tax_registration") == []
    assert len(bench.living("person")) == 1


def test_items_come_and_go_with_their_record(bench, statement) -> None:
    bench.land(statement("a", 1, {"document": [{"file_id": "1"}, {"file_id": "2"}]}))
    bench.land(statement("b", 1, {"document": [{"file_id": "1"}]}))
    bench.land(statement("a", 2, {"document": [{"file_id": "2"}, {"file_id": "3"}]}))
    assert [(row[0], row[2]) for row in bench.living("document")] == [("a", "2"), ("a", "3"), ("b", "1")]


def test_an_item_listed_twice_in_one_record_is_kept_once(bench, statement) -> None:
    bench.land(
        statement("a", 1, {"document": [{"file_id": "1", "name": "x"}, {"file_id": "1", "name": "y"}]})
    )
    assert column(bench, "document", "name") == ["y"]


@pytest.mark.parametrize("later", [[], [{"personal_id": "001084000999", "valid_until": date(2025, 1, 1)}]])
def test_a_former_number_that_changes_makes_its_person_dirty(bench, statement, later) -> None:
    former = [{"personal_id": "001084000999", "valid_until": date(2024, 1, 1)}]
    bench.land(statement("a", 1, {**person(), "former_identifier": former}))
    bench.clean()
    # The same moment, so that nothing but the former number differs.
    bench.land(statement("a", 1, {**person(), "former_identifier": later}))
    assert set(bench.dirty()) == {"a"}


def test_a_batch_without_records_changes_nothing(bench) -> None:
    assert (bench.land().accepted, bench.land().deleted) == (0, 0)


def test_a_batch_looks_rows_up_by_key_however_many_the_hub_holds(bench, statement) -> None:
    many = [statement(f"k{n:05}", 1, person(f"An {n}", permanent_address=ADDRESS)) for n in range(3000)]
    bench.land(*many)
    entity, names = bench.entities["person"], {"source": bench.source, "stream": bench.stream}
    with bench.database, bench.database.cursor() as cursor:
        bench.landing.land(bench.batch(many[:100]))
        for text in (statements.COMPARE, statements.KEEP_STATE, statements.FIND_DELETED):
            cursor.execute(sql.SQL("explain ") + text, names)
            assert_looks_up(cursor.fetchall(), "record_state")
        cursor.execute(statements.create_stage(entity))
        for composed in (statements.upsert(entity), statements.drop_unstated(entity)):
            cursor.execute(sql.SQL("explain ") + composed, names)
            assert_looks_up(cursor.fetchall(), "person_tax")


def assert_looks_up(plan: list[tuple[str]], table: str) -> None:
    text = "\n".join(line for (line,) in plan)
    assert f"Seq Scan on {table}" not in text, text
    assert f"{table}_pkey" in text, text
