from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest
from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.config.procedures import Procedure
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.coverage.measure import Coverage, answer_forms, history, measure, record_day
from oncehub.share.forms.prefill import FormRequest, prefill
from oncehub.share.people.confidence import load_confidence_rules
from oncehub.share.people.labels import load_labels
from oncehub.share.people.lookup import Person
from oncehub.store.connection import Connection
from tests.api.asking import open_form

PEOPLE = 24
TIES = ("father", "mother", "spouse", "household_head")
ADDRESS = {"unit": "00004", "edition": "2025-07-01", "detail": "1 Phố Mẫu"}
ELSEWHERE = {"unit": "26740", "edition": "2025-07-01", "detail": None}

Filled = dict[str, str]


def number(place: int) -> str:
    return f"001184{place:06}"


class World:
    """People of whom chance decides what is held, from whom, since when, and who is related to whom."""

    def __init__(self, settings: Settings, database: Connection, believe: Callable[..., str]) -> None:
        self.settings = settings
        self.database = database
        self.chance = random.Random(7)
        self.keys = {number(place): self._person(believe, place) for place in range(PEOPLE)}
        for key in self.keys.values():
            self._age(key)
            self._dispute(key)
        self._papers()

    def run(self, statement: str, *values: Any) -> None:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)

    def _person(self, believe: Callable[..., str], place: int) -> str:
        draw = self.chance.random
        attributes: dict[str, Any] = {
            "full_name": "Nguyễn Thị An",
            "birth_date": "1984-05-07",
            "sex": "female",
            "birth_place": ADDRESS,
            "hometown": ADDRESS,
            "ethnicity": "01",
            "nationality": "VN",
            "permanent_address": self.chance.choice([ADDRESS, ELSEWHERE]),
            "current_address": ADDRESS,
            "id_card": {"issued_on": "2022-01-01", "issued_by": None, "expires_on": None},
            "relation_to_head": "child",
            "marital_status": "married",
            "phone": "+84912345678",
            "email": "an@example.vn",
            "tax_code": None,
        }
        attributes |= {name: self._named() for name in TIES}
        held = {name: value for name, value in attributes.items() if value and draw() < 0.75}
        return believe(
            personal_id=number(place),
            former=[number(place + 500)] if draw() < 0.2 else (),
            contested=place % 11 == 5,
            life_status=self.chance.choice(["alive"] * 6 + ["deceased", "missing"]),
            **held,
        )

    def _named(self) -> dict[str, Any]:
        """Somebody of the world by number, present or former; somebody unknown; or nobody by number."""
        place = self.chance.randrange(PEOPLE)
        who = self.chance.choice([number(place)] * 4 + [number(place + 500), number(900_000), None])
        return {"personal_id": who, "full_name": "Nguyễn Văn Bảy"}

    def _age(self, key: str) -> None:
        """Let what some people's registers and others stated be old, or of no known day."""
        as_of = self.chance.choice(["2026-05-01T01:02:03+00:00"] * 3 + ["2011-01-01T00:00:00+00:00", None])
        self.run(
            "update truth.person set provenance = (select jsonb_object_agg(name, jsonb_strip_nulls(origin || "
            "jsonb_build_object('as_of', %s::text))) from jsonb_each(provenance) as e (name, origin)) "
            "where person_key = %s",
            *(as_of, key),
        )

    def _dispute(self, key: str) -> None:
        for attribute in ("phone", "email", "full_name", "father", "birth_place"):
            if self.chance.random() < 0.25:
                self.run(
                    "insert into truth.discrepancy (person_key, attribute, source, stream, source_key, kind, "
                    "stated_at) values (%s, %s, 'banking', 'accounts', %s, %s, now())",
                    *(key, attribute, key, self.chance.choice(["conflict", "conflict", "stale"])),
                )
        if self.chance.random() < 0.3:
            # A tie on which no authority has spoken.
            self.run(
                "update truth.person set provenance = jsonb_set(provenance, '{father,rule}', '\"trust\"') "
                "where person_key = %s and provenance ? 'father'",
                key,
            )

    def _papers(self) -> None:
        papers = [
            (paper, code)
            for procedure in load_procedures(self.settings).values()
            for item in procedure.items.values()
            for paper in item.replaced_by
            for code in paper.procedures or ("1.000000",)
        ]
        self.run("select record.attach_source('portal')")
        for place in range(0, PEOPLE, 2):
            for count, (paper, code) in enumerate(self.chance.sample(papers, 3)):
                names = ("portal", "dossiers", f"{place}-{count}")
                decided = self.chance.choice(["2026-06-01", "2009-06-01", None])
                self.run(
                    "insert into record.dossier (source, stream, source_key, code, procedure_code, "
                    "owner_personal_id, status, decided_at, stated_at) "
                    "values (%s, %s, %s, %s, %s, %s, 'decided', %s, now())",
                    *(*names, names[2], code, number(place), decided),
                )
                self.run(
                    "insert into record.document (source, stream, source_key, file_id, component_code, "
                    "replaced_by, digitised, reusable, stated_at) "
                    "values (%s, %s, %s, 'F', %s, %s, true, %s, now())",
                    *(*names, paper.component, paper.result, self.chance.random() < 0.8),
                )


@pytest.fixture
def world(settings: Settings, database: Connection, believe: Callable[..., str]) -> World:
    return World(settings, database, believe)


def by_prefill(
    world: World, agreement: Agreement, procedure: Procedure, who: str, day: date
) -> Filled | None:
    """How `prefill` answers each item of somebody's form; None where no form is opened."""
    asked = FormRequest(procedure, day, agreement)
    with world.database:
        opened = open_form(world.settings, world.database, asked, {"person.personal_id": who})
        if not isinstance(opened.person, Person) or not opened.is_living:
            return None
        form = prefill(
            world.database, opened, asked, load_confidence_rules(world.settings), load_labels(world.settings)
        )
    answers = {name: "confirm" if item.confirm else "filled" for name, item in form.items.items()}
    answers |= dict.fromkeys(form.papers, "paper")
    return answers | {name: item.reason for name, item in form.missing_items.items()}


def by_coverage(
    world: World, agreement: Agreement, procedures: Mapping[str, Procedure], who: str, day: date
) -> dict[str, Filled]:
    only = sql.SQL("person.person_key = {}::uuid").format(sql.Literal(world.keys[who]))
    with world.database:
        measured = answer_forms(world.database, agreement, procedures, day, restriction=only)
    return {
        each.procedure: {
            name: answer for name, counts in each.by_item.items() for answer, count in counts.items() if count
        }
        for each in measured
        if each.people
    }


def test_forms_in_bulk_are_answered_as_prefill_answers_them_item_by_item(world: World) -> None:
    agreements, procedures = load_agreements(world.settings), load_procedures(world.settings)
    # One that does not cover all that its forms ask, nor papers.
    residence = agreements["portal-residence"]
    fewer = tuple(name for name in residence.attributes if name not in ("person.email", "person.mother"))
    narrow = residence.model_copy(update={"attributes": fewer, "papers": False})
    seen: set[str] = set()
    for agreement in (*agreements.values(), narrow):
        forms = {code: procedures[code] for code in agreement.procedures if not agreement.needs_consent}
        for who in world.keys if forms else ():
            wanted = {
                code: answers
                for code, form in forms.items()
                if (answers := by_prefill(world, agreement, form, who, today())) is not None
            }
            if wanted:
                assert by_coverage(world, agreement, forms, who, today()) == wanted
                seen |= {answer for answers in wanted.values() for answer in answers.values()}
    # The world has an example of every rule, or the comparison would prove little.
    assert seen >= {
        *("filled", "confirm", "paper", "citizen_provides", "not_known", "conflicting", "too_old"),
        *("not_allowed", "relative_unknown", "relative_not_living"),
    }


def test_figures_add_up_and_a_day_has_one_of_each(world: World) -> None:
    first, again = record_day(world.settings, world.database), record_day(world.settings, world.database)
    assert first == again
    kept = history(world.database)
    assert [each.procedure for each in kept] == sorted(each.procedure for each in first)
    for each in kept:
        parts = each.filled + each.confirm + each.papers + sum(each.missing.values())
        assert parts == each.people * each.items > 0
        assert each.by_item == {}


def test_a_province_and_a_sample_bound_the_people(world: World) -> None:
    def people(**only: Any) -> int:
        with world.database:
            (measured,) = measure(
                world.settings, world.database, agreement="portal-residence", procedure="1.004222", **only
            )
        return measured.people

    everybody = people()
    assert 0 < people(province="01") < everybody
    assert people(province="01") + people(province="79") <= everybody
    assert people(sample=3) == 3


@pytest.mark.parametrize(
    ("only", "told"),
    [
        ({"procedure": "9.999999"}, "no procedure"),
        ({"agreement": "nobody"}, "no agreement .nobody"),
        ({"agreement": "tax-registration"}, "tax-registration is none that covers"),
        ({"province": "99"}, "no province"),
    ],
)
def test_an_unknown_agreement_or_procedure_is_reported(
    settings: Settings, database: Connection, only: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told), database:
        measure(settings, database, **only)


def test_no_people_is_no_share() -> None:
    assert Coverage(today(), "a", "p", 0, 4, 0, 0, 0, {}).share is None
    assert Coverage(today(), "a", "p", 2, 4, 1, 2, 1, {"citizen_provides": 4}).share == 0.5
