"""The 25 essential services as they are kept: what the register answers of each, and what is asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from oncehub.config.entities import unqualified
from oncehub.config.procedures import Procedure, relationship_attribute
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.people.relatives import is_covered

ROOT = Path(__file__).resolve().parents[3]

WHO = "full_name personal_id birth_date sex"
ALL_26 = (
    f"{WHO} other_name birth_place birth_registration_place hometown ethnicity religion nationality "
    "blood_type national_id_9 id_card father mother spouse permanent_address temporary_address "
    "current_address residence_file marital_status relation_to_head household_head phone email"
)

KNOWN = {
    1: f"{WHO} national_id_9",
    2: f"{ALL_26} household_members.full_name household_members.personal_id",
    3: f"{WHO} household_head relation_to_head permanent_address",
    4: f"{WHO} household_head permanent_address temporary_address",
    5: f"{WHO} permanent_address",
    6: WHO,
    7: f"{WHO} permanent_address phone",
    8: WHO,
    9: "full_name personal_id permanent_address ethnicity nationality hometown spouse spouse.birth_date",
    10: f"{WHO} permanent_address",
    11: f"{WHO} ethnicity nationality permanent_address marital_status",
    12: f"{WHO} birth_place ethnicity religion permanent_address temporary_address father mother spouse",
    13: "full_name personal_id",
    14: "full_name personal_id",
    15: "full_name personal_id spouse household_head.full_name permanent_address",
    16: f"{WHO} permanent_address household_head father mother spouse",
    17: (
        "household_head.full_name household_head.personal_id household_head.permanent_address "
        "household_members.full_name household_members.personal_id"
    ),
    18: f"{WHO} nationality id_card permanent_address current_address phone email",
    19: f"{WHO} permanent_address",
    20: f"{WHO} permanent_address nationality",
    21: (
        f"{WHO} other_name birth_place nationality ethnicity permanent_address temporary_address father "
        "mother spouse id_card father.birth_date mother.birth_date spouse.birth_date"
    ),
    22: f"{WHO} permanent_address phone",
    23: f"{WHO} permanent_address",
    24: f"{WHO} birth_place ethnicity permanent_address",
    25: f"{WHO} permanent_address current_address phone",
}
"""By service, attributes that fill items; of a relative, after the tie."""

ASKED = {
    1: 0,
    2: 2,
    3: 3,
    4: 2,
    5: 3,
    6: 3,
    7: 4,
    8: 3,
    9: 4,
    10: 2,
    11: 1,
    12: 3,
    13: 2,
    14: 1,
    15: 3,
    16: 2,
    17: 2,
    18: 2,
    19: 3,
    20: 3,
    21: 4,
    22: 2,
    23: 2,
    24: 3,
    25: 3,
}
"""By service, how many items only the citizen can give, at least."""

CODES = {
    3: "1.004222",
    4: "1.004194",
    5: "1.003677",
    6: "2.001159",
    9: "1.001193",
    10: "1.000656",
    11: "1.000894",
    15: "3.000722",
    16: "2.002913",
    20: "1.002809",
    21: "3.000333",
    25: "1.001978",
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    """The repository's configuration, without a database."""
    return Settings(ROOT, home=ROOT / "var", database_url=None)


@pytest.fixture(scope="module")
def services(settings: Settings) -> dict[int, Procedure]:
    return {procedure.service: procedure for procedure in load_procedures(settings).values()}


def test_every_service_has_a_file_and_its_code_or_an_id_of_its_own(services: dict[int, Procedure]) -> None:
    assert {number: each.id for number, each in services.items()} == {
        number: CODES.get(number, f"dvctt-{number:02}") for number in range(1, 26)
    }
    assert all(each.name.en and each.owner for each in services.values())


def test_replaced_codes_lead_to_what_replaced_them(services: dict[int, Procedure]) -> None:
    former = {old.code: (each.id, old.until) for each in services.values() for old in each.former}
    assert former == {
        "2.000986": ("3.000722", None),
        "2.002622": ("2.002913", None),
        "2.000488": ("3.000333", date(2025, 2, 28)),
    }


@pytest.mark.parametrize("number", range(1, 26))
def test_a_service_fills_what_the_register_is_known_to_answer(
    services: dict[int, Procedure], number: int
) -> None:
    items = services[number].items_on(today()).values()
    filled = {
        f"{item.of}.{name}" if item.of else name
        for item in items
        for name in (unqualified(each) for each in item.fills)
    }
    assert set(KNOWN[number].split()) <= filled
    assert sum(item.ask is not None for item in items) >= ASKED[number]


def test_a_form_in_force_today_names_its_text(services: dict[int, Procedure]) -> None:
    for procedure in services.values():
        form = procedure.form_on(today())
        assert form is not None
        assert (form.name, form.text) != ("", "")


def test_the_portal_may_ask_for_every_service_and_its_agreements_cover_every_item(settings: Settings) -> None:
    procedures = load_procedures(settings)
    covering = [
        (agreement, procedures[code])
        for agreement in load_agreements(settings).values()
        if agreement.agency.id == "G01"
        for code in agreement.procedures
    ]
    assert sorted(procedure.service for _, procedure in covering) == list(range(1, 26))
    for agreement, procedure in covering:
        items = procedure.items.values()
        assert all(is_covered(item, agreement) for item in items if item.fills)
        assert agreement.papers or not any(item.replaced_by for item in items)


def test_the_portal_s_agreements_cover_nothing_that_no_form_of_theirs_needs(settings: Settings) -> None:
    procedures = load_procedures(settings)
    for agreement in load_agreements(settings).values():
        if agreement.agency.id != "G01":
            continue
        items = [item for code in agreement.procedures for item in procedures[code].items.values()]
        ties = {relationship_attribute(item.of) for item in items if item.of}
        assert set(agreement.attributes) == {name for item in items for name in item.fills} | ties
        assert set(agreement.relatives) == {item.of for item in items if item.of}


def test_the_documentation_s_table_is_what_the_files_say(services: dict[int, Procedure]) -> None:
    written = (ROOT / "docs" / "guides" / "procedures.md").read_text("utf-8").splitlines()
    assert [line for line in written if line.startswith("| ") and line[2].isdigit()] == [
        _row(services[number]) for number in range(1, 26)
    ]


def _row(procedure: Procedure) -> str:
    form, items = procedure.form_on(today()), procedure.items_on(today()).values()
    counts = (
        sum(bool(item.fills) for item in items),
        sum(item.of is not None for item in items) or "",
        sum(bool(item.replaced_by) for item in items) or "",
        sum(item.ask is not None for item in items),
    )
    cells = (procedure.service, procedure.id, procedure.name.vi, procedure.owner, form and form.name, *counts)
    return f"| {' | '.join(map(str, cells))} |"
