"""Consent decides at once, whatever is asked at the same moment."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from hypothesis import given, strategies
from hypothesis import settings as hypothesis_settings

from oncehub.audit.log.pseudonyms import feed_pseudonym
from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_rules
from oncehub.config.privacy import DeadlineRules
from oncehub.settings import Settings, load_settings
from oncehub.share.access.database_access import build_database_access, encrypted_attributes
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.consent.consents import Proof, ShownText, record_consent, withdraw_consent
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.entries import feed_sequence
from oncehub.share.people.lookup import (
    Asked,
    Person,
    Question,
    Withheld,
    open_request,
)
from oncehub.share.request_proofs import ProofKeys
from oncehub.store.connection import Connection, connect
from tests.api.asking import find_person, look_up, proof_keys, read_changes

RULES = load_rules(load_settings(), "deadlines", DeadlineRules)
WHO = {"person.personal_id": "001084000999"}
NAME, PHONE, BORN = "person.full_name", "person.phone", "person.birth_date"
ASKABLE = (NAME, PHONE, BORN)
KEY = b"k" * 32


@pytest.fixture
def bank(editable: Settings) -> Agreement:
    return load_agreements(editable)["bank-accounts"]


@pytest.fixture
def residence(editable: Settings) -> Agreement:
    return load_agreements(editable)["portal-residence"]


@pytest.fixture
def connected(settings: Settings) -> Iterator[Callable[..., Connection]]:
    """Connections of their own, with the API's rights."""
    made: list[Connection] = []

    def make() -> Connection:
        assert settings.database_url is not None
        made.append(connect(settings.database_url, role="oncehub_api"))
        return made[-1]

    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    return believe(
        personal_id="001084000999", full_name="Nguyễn Thị An", phone="+84912345678", birth_date="1984-02-03"
    )


def proof() -> Proof:
    return Proof("vneid", f"V-{uuid.uuid4()}", None, "portal", "provider")


def give(
    connection: Connection, bank: Agreement, person: str, *attributes: str, under: Agreement | None = None
) -> uuid.UUID:
    with connection:
        consent = record_consent(
            connection,
            bank,
            person,
            attributes,
            text=ShownText("1", "a" * 64),
            given_at=datetime.now(UTC),
            proof=proof(),
            under=under,
        )
    return uuid.UUID(consent)


def withdraw(connection: Connection, consent: uuid.UUID, under: Agreement | None = None) -> None:
    with connection:
        withdraw_consent(
            connection,
            RULES,
            consent,
            ["bank-accounts"],
            withdrawn_at=datetime.now(UTC),
            proof=proof(),
            under=under,
        )


def ask(connection: Connection, bank: Agreement, *attributes: str) -> Person | Withheld | None:
    with connection:
        return find_person(connection, bank, WHO, attributes)


@pytest.fixture
def keys(settings: Settings, bank: Agreement, residence: Agreement, database: Connection) -> ProofKeys:
    """Of the API, which has clients of both agreements."""
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into share.client (client_id, agreement) select name, name from unnest(%s) as name",
            ([bank.name, residence.name],),
        )
    return proof_keys(settings)


def asked(keys: ProofKeys, agreement: Agreement, action: str, *attributes: str) -> Asked:
    search = WHO if attributes else None
    return Asked(Question(action, search, attributes, stated={"client": agreement.name}), uuid.uuid4(), keys)


def waiting(database: Connection) -> bool:
    with database, database.cursor() as cursor:
        cursor.execute("select exists (select from pg_locks where locktype = 'advisory' and not granted)")
        return cursor.fetchone() == (True,)


def test_a_withdrawal_waits_for_the_answer_it_would_overtake(
    bank: Agreement, an: str, connected: Callable[..., Connection], database: Connection, keys: ProofKeys
) -> None:
    consent = give(database, bank, an, NAME)
    asking = connected()
    assert isinstance(open_request(asking, bank, asked(keys, bank, "prefill", NAME)).person, Person)
    owner = connect(database.dsn)
    thread = threading.Thread(target=withdraw, args=(owner, consent))
    thread.start()
    while not waiting(database):
        assert thread.is_alive()
        time.sleep(0.01)
    # It has not returned while the answer that it would overtake is under way.
    assert thread.is_alive()
    asking.commit()
    thread.join(timeout=30)
    assert not thread.is_alive()
    owner.close()
    withheld = look_up(asking, bank, asked(keys, bank, "lookup", NAME))
    assert isinstance(withheld, Withheld)
    assert withheld.why == "consent"


def test_no_answer_begins_after_a_withdrawal_has_returned(
    bank: Agreement, an: str, connected: Callable[..., Connection], database: Connection, keys: ProofKeys
) -> None:
    answers: list[tuple[float, float, bool]] = []
    gaps: list[tuple[float, float]] = []
    done = threading.Event()

    def keep_asking(connection: Connection) -> None:
        while not done.is_set():
            began = time.monotonic()
            found = look_up(connection, bank, asked(keys, bank, "lookup", NAME))
            answered = isinstance(found, Person)
            answers.append((began, time.monotonic(), answered))

    threads = [threading.Thread(target=keep_asking, args=(connected(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    portal = database
    for _ in range(12):
        consent = give(portal, bank, an, NAME)
        seen = len(answers)
        while len(answers) < seen + 6:
            assert any(thread.is_alive() for thread in threads)
            time.sleep(0.001)
        withdraw(portal, consent)
        began, seen = time.monotonic(), len(answers)
        while len(answers) < seen + 6:
            assert any(thread.is_alive() for thread in threads)
            time.sleep(0.001)
        gaps.append((began, time.monotonic()))
    done.set()
    for thread in threads:
        thread.join(timeout=30)
    assert any(answered for _, _, answered in answers)
    asked_within = [
        answered
        for began, ended, answered in answers
        for since, until in gaps
        if since <= began and ended < until
    ]
    assert asked_within
    assert not any(asked_within)


some = strategies.lists(strategies.sampled_from(ASKABLE), min_size=1, unique=True)
steps = strategies.lists(
    strategies.one_of(
        strategies.tuples(strategies.just("give"), some),
        strategies.tuples(strategies.just("withdraw"), strategies.integers(0, 5)),
        strategies.tuples(strategies.just("ask"), some),
        strategies.tuples(strategies.just("read"), strategies.just(0)),
    ),
    max_size=15,
)


@given(steps)
@hypothesis_settings(max_examples=hypothesis_settings.default.max_examples // 2)
def test_whatever_is_given_and_withdrawn_only_what_is_consented_to_now_leaves(
    editable: Settings,
    bank: Agreement,
    believe: Callable[..., str],
    database: Connection,
    steps: list[tuple[str, Any]],
) -> None:
    number = f"0{uuid.uuid4().int % 10**11:011}"
    person = believe(personal_id=number, full_name="Nguyễn Thị An", phone="+84912345678", birth_date="1984")
    given_now: dict[uuid.UUID, set[str]] = {}
    recorded: list[uuid.UUID] = []
    for step, argument in steps:
        if step == "give":
            recorded.append(give(database, bank, person, *argument))
            given_now[recorded[-1]] = set(argument)
        elif step == "withdraw" and argument < len(recorded):
            withdraw(database, recorded[argument])
            given_now.pop(recorded[argument], None)
        allowed = set().union(*given_now.values())
        if step == "ask":
            with database:
                found = find_person(database, bank, {"person.personal_id": number}, argument)
            assert isinstance(found, Person) == (set(argument) <= allowed)
        elif step == "read":
            feed_sequence(bank, (), editable.home).extend(database)
            known = feed_pseudonym(KEY, "bank_customers", person)
            with database:
                lines = read_changes(database, bank, Start(0, 10_000), KEY).lines
            mine = [line for line in lines if line["person"] == known]
            assert all(set(line["values"]) <= allowed for line in mine)
            if mine:
                assert set(mine[-1]["values"]) == allowed
                assert (mine[-1]["kind"] == "removed") == (not allowed)
            else:
                assert not allowed


def test_a_consent_to_another_purpose_or_agency_is_none(
    bank: Agreement, an: str, database: Connection, editable: Settings
) -> None:
    give(database, bank, an, NAME)
    assert isinstance(ask(database, bank, NAME), Person)
    other = bank.model_copy(update={"purpose": "dpv:Marketing"})
    agreements = load_agreements(editable) | {other.name: other}
    build_database_access(database, agreements, encrypted_attributes(editable))
    assert ask(database, other, NAME) == Withheld(an, "consent")


def test_a_form_gives_what_is_consented_to_and_marks_the_rest(
    bank: Agreement, an: str, database: Connection
) -> None:
    give(database, bank, an, NAME)
    with database:
        found = find_person(database, bank, WHO, [NAME, PHONE], partly=True)
    assert isinstance(found, Person)
    assert found.attributes[NAME].value == "Nguyễn Thị An"
    assert (found.attributes[PHONE].value, found.attributes[PHONE].consented) == (None, False)


@pytest.mark.parametrize("table", ["consent", "consent_withdrawal"])
def test_the_api_can_neither_read_nor_change_consents(
    bank: Agreement, an: str, database: Connection, connected: Callable[..., Connection], table: str
) -> None:
    withdraw(database, give(database, bank, an, NAME))
    api = connected()
    for statement in (f"select * from share.{table}", f"delete from share.{table}"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege), api, api.cursor() as cursor:
            cursor.execute(statement)
    with (
        pytest.raises(psycopg2.errors.RaiseException, match="insert only"),
        database,
        database.cursor() as cursor,
    ):
        cursor.execute(f"delete from share.{table}")
