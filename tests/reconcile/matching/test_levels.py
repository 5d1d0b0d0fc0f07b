"""On which level each kind of evidence agrees."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from oncehub.reconcile.matching.evidence import RARITY, weights_of
from oncehub.reconcile.matching.features import frame_of_people, frame_of_records, note_people, note_records
from oncehub.reconcile.matching.models import active_model
from oncehub.reconcile.matching.scoring import score
from oncehub.store.statements import statement

NAME, BIRTH = "Đặng Thị Thùy An", "1984-05-07"
PHONE, OTHER_PHONE, CODE = "+84912000001", "+84912000002", "0100109106"


class Case(NamedTuple):
    """What the register, another record of the person's, and the record at hand state, and what follows."""

    attribute: str
    registered: Any
    stated: Any
    level: str
    told: Any = None


def former(unit: str) -> dict[str, str]:
    return {"unit": unit, "edition": "2024-12-01", "detail": "12"}


def present(unit: str) -> dict[str, str]:
    return {"unit": unit, "edition": "2025-07-01", "detail": "Tổ 9"}


CASES = {
    "a name as it is": Case("full_name", NAME, NAME, "as stated"),
    "a name in capitals": Case("full_name", NAME, "ĐẶNG THỊ THÙY AN", "as stated"),
    "a name without accents": Case("full_name", NAME, "Dang Thi Thuy An", "folded"),
    "a tone placed otherwise": Case("full_name", NAME, "Đặng Thị Thuỳ An", "folded"),
    "words written together": Case("full_name", NAME, "Đặng Thị ThùyAn", "folded"),
    "words in another order": Case("full_name", NAME, "An Thùy Thị Đặng", "in another order"),
    "another order without accents": Case("full_name", NAME, "An Dang Thi Thuy", "in another order"),
    "a letter replaced": Case("full_name", NAME, "Đặng Thị Thùy Am", "one letter off"),
    "a letter left out": Case("full_name", NAME, "Đặng Thị Thù An", "one letter off"),
    "a letter too many": Case("full_name", NAME, "Đặng Thị Thùy Ann", "one letter off"),
    "letters that changed places": Case("full_name", NAME, "Đặng Thị Thùy Na", "one letter off"),
    "two letters replaced": Case("full_name", NAME, "Đặng Thị Thùy Em", "differs"),
    "another name": Case("full_name", NAME, "Lê Hoàng Quốc Bảo", "differs"),
    "the same day": Case("birth_date", BIRTH, BIRTH, "same day"),
    "day and month swapped": Case("birth_date", BIRTH, "1984-07-05", "day and month swapped"),
    "the year alone": Case("birth_date", BIRTH, "1984", "year alone, or 1 January"),
    "month and year": Case("birth_date", BIRTH, "1984-05", "year alone, or 1 January"),
    "the year alone in the register": Case("birth_date", "1984", BIRTH, "year alone, or 1 January"),
    "the year alone on both sides": Case("birth_date", "1984", "1984", "year alone, or 1 January"),
    "1 January": Case("birth_date", BIRTH, "1984-01-01", "year alone, or 1 January"),
    "1 January in the register": Case("birth_date", "1984-01-01", BIRTH, "year alone, or 1 January"),
    "1 January on both sides": Case("birth_date", "1984-01-01", "1984-01-01", "same day"),
    "another day of that year": Case("birth_date", BIRTH, "1984-05-08", "same year"),
    "another year": Case("birth_date", BIRTH, "1985-05-07", "differs"),
    "another year alone": Case("birth_date", BIRTH, "1985", "differs"),
    "no birth date": Case("birth_date", BIRTH, None, "not stated"),
    "the same commune": Case("permanent_address", former("00001"), former("00001"), "same commune"),
    "the commune it became": Case("permanent_address", former("00001"), present("00097"), "same commune"),
    "the commune it was": Case("permanent_address", present("00097"), former("00001"), "same commune"),
    "one that a split one went into": Case(
        "permanent_address", former("00007"), present("00008"), "same commune"
    ),
    "the other that it went into": Case(
        "permanent_address", former("00007"), present("00025"), "same commune"
    ),
    "one that it did not go into": Case("permanent_address", former("00007"), present("00004"), "differs"),
    "two that became one": Case("permanent_address", former("00006"), former("00007"), "differs"),
    "no address": Case("permanent_address", None, former("00001"), "not stated"),
    "a phone that another record tells of": Case("phone", None, PHONE, "shared", told=PHONE),
    "another phone": Case("phone", None, OTHER_PHONE, "differs", told=PHONE),
    "a phone that nobody else tells of": Case("phone", None, PHONE, "not stated"),
    "a tax code that another record tells of": Case("tax_code", None, CODE, "shared", told=CODE),
    "a branch of that tax code": Case("tax_code", None, f"{CODE}-001", "shared", told=CODE),
    "another tax code": Case("tax_code", None, "0300588569", "differs", told=CODE),
    "a personal number for a tax code": Case("tax_code", None, "001184000001", "not stated", told=CODE),
}

_PAIRS = """
insert into unmatched select (row_number() over ())::int, source, stream, source_key
from record.person where source = 'portal';
insert into candidate_person
select j.id, k.person_key
from unmatched j join truth.link k on k.source = 'population' and k.source_key = j.source_key;
insert into evidence_record
select j.id, p.source, p.stream, p.source_key
from unmatched j join record.person p on p.source = 'banking' and p.source_key = j.source_key;
select id::text, source_key from unmatched;
"""


@pytest.fixture(scope="module")
def levels(own_matcher) -> dict[str, dict[str, str]]:
    """By case, the level of each comparison."""
    own_matcher.forget()
    for name, case in CASES.items():
        known = {"full_name": NAME, "birth_date": BIRTH}
        own_matcher.state("population", name, **known | {case.attribute: case.registered})
        own_matcher.state("portal", name, **known | {case.attribute: case.stated})
        if case.told:
            own_matcher.state("banking", name, full_name="Ai Đó", **{case.attribute: case.told})
    own_matcher.reconcile()
    with own_matcher.database as connection, connection.cursor() as cursor:
        model = active_model(connection)
        cursor.execute(statement("oncehub.reconcile.matching.matcher", "work_tables"))
        cursor.execute(_PAIRS)
        names = dict(cursor.fetchall())
        note_records(cursor, model.rules)
        note_people(cursor, model.rules, "population")
        records, people = frame_of_records(cursor, model.rules), frame_of_people(cursor, model.rules)
        pairs = records.select(record="unique_id", person="unique_id")
        predictions = score(connection, model, records, people, pairs)
    return {
        names[row["unique_id_r"]]: {
            weight.comparison: weight.level for weight in weights_of(model, row) if weight.level != RARITY
        }
        for row in predictions.iter_rows(named=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_the_level_is_the_best_that_holds(levels, name):
    assert levels[name][CASES[name].attribute] == CASES[name].level


def test_what_is_not_at_issue_agrees_throughout(levels):
    for name, case in CASES.items():
        others = {"full_name": "as stated", "birth_date": "same day"}
        others.pop(case.attribute, None)
        assert others.items() <= levels[name].items()
