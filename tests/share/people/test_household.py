"""Households of a small world: coverage answers the items that list them as `prefill` does, for everybody."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from psycopg2 import sql
from psycopg2.extras import Json

from oncehub.config.agreements import Agreement
from oncehub.config.procedures import Procedure
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.coverage.measure import answer_forms
from oncehub.share.forms.prefill import FormRequest, prefill
from oncehub.share.people.confidence import Confidence, load_confidence_rules
from oncehub.share.people.labels import load_labels
from oncehub.share.people.lookup import Person
from oncehub.store.connection import Connection
from tests.api.asking import open_form

PEOPLE, HEADS, CROWD = 60, 16, 900
MOST_MEMBERS = 50
HERE = {"unit": "00004", "edition": "2025-07-01", "detail": "1 Phố Mẫu"}
ELSEWHERE = {"unit": "26740", "edition": "2025-07-01", "detail": None}


def number(place: int) -> str:
    return f"001184{place:06}"


class Village:
    """People of whom chance decides whom they name as head, by which number, and what is held of them."""

    def __init__(self, database: Connection, believe: Callable[..., str]) -> None:
        self.database = database
        self.believe = believe
        self.chance = random.Random(11)
        self.keys = {number(place): self._person(place) for place in range(PEOPLE)}
        crowd = {"personal_id": number(CROWD), "full_name": "Trần Văn Đông"}
        for place in range(CROWD, CROWD + MOST_MEMBERS + 2):
            self.keys[number(place)] = self._believe(place, household_head=crowd)

    def _believe(self, place: int, **held: Any) -> str:
        common = {"full_name": f"Nguyễn Văn {place}", "relation_to_head": "child", "permanent_address": HERE}
        return self.believe(**{"personal_id": number(place)} | common | held)

    def _person(self, place: int) -> str:
        odd = self.chance.random
        head = self.chance.randrange(HEADS)
        who = self.chance.choice([number(head)] * 6 + [number(head + 500)] * 3 + [number(700), None])
        changed: dict[str, Any] = {"household_head": {"personal_id": who, "full_name": "Nguyễn Văn Bảy"}}
        changed |= {name: None for name in ("full_name", "relation_to_head") if odd() < 0.03}
        if odd() < 0.08:
            changed["permanent_address"] = ELSEWHERE
        if odd() < 0.06:
            changed["household_head"] = None
        key = self._believe(
            place,
            **changed,
            life_status=self.chance.choice(["alive"] * 7 + ["deceased", "missing", None]),
            # Some once had the number that a head has now, some share a former one.
            former=[number(place + 500), *([number(place - 30)] if place in range(30, 36) else ())]
            + [number(510)] * (place == 40),
            contested=place == 3,
        )
        self._doubt(key)
        return key

    def _doubt(self, key: str) -> None:
        """Let some values be contested, some of them on nobody's authority, and some be old."""
        for attribute in ("household_head", "full_name"):
            if self.chance.random() < 0.1:
                self._run(
                    "insert into truth.discrepancy (person_key, attribute, source, stream, source_key, kind, "
                    "stated_at) values (%s, %s, 'tax', 'registrations', %s, 'conflict', now())",
                    *(key, attribute, key),
                )
                if self.chance.random() < 0.6:
                    self._origin(key, attribute, rule="trust")
            if self.chance.random() < 0.05:
                self._origin(key, attribute, as_of=self.chance.choice(["2011-01-01T00:00:00+00:00", None]))

    def _origin(self, key: str, attribute: str, **changed: str | None) -> None:
        self._run(
            "update truth.person set provenance = jsonb_set(provenance, array[%s], "
            "jsonb_strip_nulls((provenance -> %s) || %s)) where person_key = %s",
            *(attribute, attribute, Json(changed), key),
        )

    def _run(self, statement: str, *values: Any) -> None:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)


@pytest.fixture
def lists(settings: Settings) -> Procedure:
    """A form of nothing but lists of the household."""
    procedure = load_procedures(settings)["dvctt-02"]
    listed = procedure.items["household_members"]
    items = {
        "members": listed,
        "recent": listed.model_copy(update={"max_age": timedelta(days=1500)}),
        "names": listed.model_copy(update={"attributes": ("person.full_name",), "confirm": False}),
    }
    return procedure.model_copy(update={"items": items})


def test_households_are_listed_in_bulk_as_prefill_lists_them(
    editable: Settings, ward: str, database: Connection, believe: Callable[..., str], lists: Procedure
) -> None:
    apply_agreements(editable)
    agreements = load_agreements(editable)
    without = agreements["portal-identity"].model_copy(update={"relatives": ("father",)})
    village = Village(database, believe)
    seen: set[str] = set()
    for agreement in (agreements["portal-identity"], agreements[ward], without):
        everybody = [Counter[str]() for _ in lists.items]
        for who, key in village.keys.items():
            with database:
                answers = by_prefill(editable, database, FormRequest(lists, today(), agreement), who)
                alone = [{answer: 1} for answer in answers or ()]
                assert not alone or by_coverage(database, agreement, lists, key) == alone, who
            for counted, answer in zip(everybody, answers or (), strict=False):
                counted[answer] += 1
        with database:
            assert by_coverage(database, agreement, lists) == [dict(each) for each in everybody]
        seen.update(*everybody)
    # The village has an example of every rule, or the comparison would prove little.
    assert seen == {
        *("filled", "confirm", "not_known", "conflicting", "too_old"),
        *("not_allowed", "relative_unknown", "too_many"),
    }


def test_the_less_sure_of_two_is_so_by_grade_then_weight_then_sources() -> None:
    surest_first = [
        *(Confidence("authority", 2, None), Confidence("authority", 1, None), Confidence("agreed", 2, 0.1)),
        *(Confidence("single", 1, 0.9), Confidence("single", 1, 0.0), Confidence("doubtful", 1, 0.9)),
    ]
    doubts = [each.doubt for each in surest_first]
    assert doubts == sorted(set(doubts))


def by_prefill(settings: Settings, database: Connection, asked: FormRequest, who: str) -> list[str] | None:
    """How `prefill` answers the items of somebody's form, in their order; None where no form is opened."""
    opened = open_form(settings, database, asked, {"person.personal_id": who})
    if not isinstance(opened.person, Person) or not opened.is_living:
        return None
    form = prefill(database, opened, asked, load_confidence_rules(settings), load_labels(settings))
    answers = {name: "confirm" if item.confirm else "filled" for name, item in form.items.items()}
    answers |= {name: item.reason for name, item in form.missing_items.items()}
    return [answers[name] for name in asked.fields]


def by_coverage(
    database: Connection, agreement: Agreement, procedure: Procedure, key: str | None = None
) -> list[dict[str, int]]:
    """How many people get which answer to each item: of one, or of everybody whom a number leads to."""
    found = sql.SQL("exists (select from truth.leading_number led where led.person_key = person.person_key)")
    only = sql.SQL("person.person_key = {}::uuid").format(sql.Literal(key)) if key else found
    (measured,) = answer_forms(database, agreement, {procedure.id: procedure}, today(), restriction=only)
    return list(measured.by_item.values())
