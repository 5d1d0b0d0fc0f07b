"""Whom an agreement does not have is to its agency as if they were not there: in feeds, notices and forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies
from hypothesis import settings as hypothesis_settings
from psycopg2 import sql
from psycopg2.extras import Json

from oncehub.audit.log.pseudonyms import feed_pseudonym
from oncehub.config.agreements import Agreement, Condition
from oncehub.config.catalogue import load_rules
from oncehub.config.privacy import RevealRules
from oncehub.settings import Settings
from oncehub.share.access.database_access import build_database_access, encrypted_attributes
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.population import Catalogues, population_condition
from oncehub.share.corrections.publish_notices import notice_sequence
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.check import FeedChecker
from oncehub.share.feeds.entries import feed_sequence
from oncehub.share.people.lookup import Person, Withheld
from oncehub.store.connection import Connection
from tests.api.asking import find_person, read_changes, read_notices

KEY = b"k" * 32
IN_HANOI = {"unit": "00004", "edition": "2025-07-01", "detail": None}
OUTSIDE = {"unit": "26734", "edition": "2025-07-01", "detail": None}
SPLIT_OFF = {"unit": "99999", "edition": "2025-07-01", "detail": None}
HANOI = {"person.permanent_address": Condition(province=("01",))}


@pytest.fixture
def only(editable: Settings, database: Connection) -> Callable[..., Agreement]:
    """An agreement with another population: `only("tax-registration", HANOI)`."""

    def make(name: str, population: dict[str, Condition], **changes: Any) -> Agreement:
        agreement = load_agreements(editable)[name].model_copy(update={"population": population, **changes})
        Catalogues(editable.mappings).place(agreement)
        every = load_agreements(editable) | {agreement.name: agreement}
        build_database_access(database, every, encrypted_attributes(editable))
        return agreement

    return make


def move(database: Connection, person: str, address: dict[str, Any] | None) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "update truth.person set permanent_address = %s where person_key = %s",
            (address and Json(address), person),
        )
        cursor.execute(
            "insert into share.change (person_key, kind, attributes) values (%s, 'changed', %s)",
            (person, ["permanent_address"]),
        )


def read(database: Connection, agreement: Agreement) -> list[tuple[str, bool]]:
    """Kinds of the feed's lines, and whether they hold values."""
    with database:
        changes = read_changes(database, agreement, Start(0, 10_000), KEY).lines
    return [(line["kind"], bool(line["values"])) for line in changes]


def test_who_moves_away_is_removed_and_who_moves_in_is_created(
    editable: Settings,
    only: Callable[..., Agreement],
    believe: Callable[..., str],
    database: Connection,
) -> None:
    agreement = only("portal-residence", HANOI)
    person = believe(personal_id="001084000001", full_name="Nguyễn Thị An", permanent_address=OUTSIDE)
    feed_sequence(agreement, (), editable.home).extend(database)
    assert read(database, agreement) == []
    move(database, person, IN_HANOI)
    feed_sequence(agreement, (), editable.home).extend(database)
    assert read(database, agreement) == [("created", True)]
    with database:
        (line,) = read_changes(database, agreement, Start(0, 10), KEY).lines
    assert {"person.full_name", "person.personal_id", "person.permanent_address"} <= set(line["changed"])
    move(database, person, OUTSIDE)
    feed_sequence(agreement, (), editable.home).extend(database)
    # What was told of them before is not told again either.
    assert read(database, agreement) == [("removed", False), ("removed", False)]
    move(database, person, IN_HANOI)
    feed_sequence(agreement, (), editable.home).extend(database)
    assert read(database, agreement)[-1] == ("created", True)
    checks = FeedChecker(agreement, KEY, every=True).check(database)
    assert all(check.sound and not check.in_flight.persons for check in checks)


@given(strategies.lists(strategies.sampled_from([IN_HANOI, OUTSIDE, SPLIT_OFF, None]), max_size=8))
@hypothesis_settings(max_examples=hypothesis_settings.default.max_examples // 2)
def test_wherever_somebody_moves_the_feed_holds_them_exactly_while_they_are_inside(
    editable: Settings,
    only: Callable[..., Agreement],
    believe: Callable[..., str],
    database: Connection,
    moves: list[dict[str, Any] | None],
) -> None:
    agreement = only("portal-residence", HANOI)
    person = believe(full_name="Nguyễn Thị An", permanent_address=OUTSIDE)
    known = feed_pseudonym(KEY, "residence", person)
    where: dict[str, Any] | None = OUTSIDE
    for where in moves:
        move(database, person, where)
        feed_sequence(agreement, (), editable.home).extend(database)
        with database:
            changes = read_changes(database, agreement, Start(0, 10_000), KEY).lines
        mine = [line for line in changes if line["person"] == known]
        inside = where == IN_HANOI
        assert (bool(mine) and mine[-1]["kind"] != "removed") == inside
        assert inside or not any(line["values"] for line in mine)
    checks = FeedChecker(agreement, KEY, every=True).check(database)
    assert all(check.sound and not check.in_flight.persons for check in checks)


def test_notices_are_about_those_inside_and_end_when_they_leave(
    only: Callable[..., Agreement],
    believe: Callable[..., str],
    disagree: Callable[..., int],
    database: Connection,
) -> None:
    agreement = only("tax-registration", HANOI)
    assert agreement.corrections
    an = believe(full_name="Nguyễn Thị An", permanent_address=IN_HANOI)
    binh = believe(full_name="Lê Văn Bình", permanent_address=OUTSIDE)
    for person in (an, binh):
        disagree(person, "full_name", stated="Nguyễn An", believed="Nguyễn Thị An")

    def notices() -> list[tuple[str, bool]]:
        notice_sequence(agreement, "tax").extend(database)
        with database:
            page = read_notices(database, agreement, Start(0, 100))
        return [(line["change"], line["golden_value"] is not None) for line in page.lines]

    assert notices() == [("opened", True)]
    move(database, an, OUTSIDE)
    assert notices() == [("opened", False), ("closed", False)]
    move(database, an, IN_HANOI)
    assert notices()[-1] == ("opened", True)
    assert notices() == notices()


addresses = strategies.sampled_from([IN_HANOI, OUTSIDE, SPLIT_OFF, None])
statuses = strategies.sampled_from(["alive", "deceased", None])


@given(
    addresses,
    statuses,
    strategies.sets(strategies.sampled_from(["person.permanent_address", "person.life_status"])),
    strategies.sets(strategies.sampled_from(["person.full_name", "person.sex", "person.phone"]), min_size=1),
)
@hypothesis_settings(max_examples=hypothesis_settings.default.max_examples // 2)
def test_a_person_is_disclosed_exactly_when_every_condition_holds(
    only: Callable[..., Agreement],
    believe: Callable[..., str],
    database: Connection,
    address: dict[str, Any] | None,
    status: str | None,
    conditions: set[str],
    wanted: set[str],
) -> None:
    every = {**HANOI, "person.life_status": Condition(one_of=("alive",))}
    agreement = only("portal-residence", {name: every[name] for name in sorted(conditions)})
    number = f"0010840{len(PEOPLE):05}"
    PEOPLE.append(number)
    key = believe(personal_id=number, full_name="An", permanent_address=address, life_status=status)
    with database:
        found = find_person(database, agreement, {"person.personal_id": number}, wanted)
    holds = {"person.permanent_address": address == IN_HANOI, "person.life_status": status == "alive"}
    if all(holds[name] for name in conditions):
        assert isinstance(found, Person)
        assert set(found.attributes) == wanted
    else:
        assert found == Withheld(key, "population")


PEOPLE: list[str] = []


def test_a_population_that_was_not_placed_has_no_people(
    editable: Settings, believe: Callable[..., str], database: Connection
) -> None:
    believe(personal_id="001084000001", full_name="An", permanent_address=IN_HANOI)
    agreement = load_agreements(editable)["portal-residence"].model_copy(update={"population": HANOI})
    with database, database.cursor() as cursor:
        cursor.execute(
            sql.SQL("select count(*) from truth.person where {}").format(population_condition(agreement))
        )
        assert cursor.fetchone() == (0,)


def test_no_agreement_discloses_what_it_does_not_cover(editable: Settings) -> None:
    rules = load_rules(editable, "reveals", RevealRules)
    for agreement in load_agreements(editable).values():
        told = {name for _, name in rules.revealed(agreement.attributes)}
        assert told <= {*agreement.attributes, *agreement.implied}
