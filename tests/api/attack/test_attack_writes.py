"""SQL of an attacker's own, run as the API's login, writes nothing: rows are proven, in an open request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from oncehub.api.database import api_login
from oncehub.errors import StoreError
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.share.people.lookup import Question
from oncehub.share.request_proofs import Signed, insert, proving
from oncehub.store.connection import Connection, connect
from tests.api.asking import Asking, proof_keys

NUMBER, PORTAL = "001184555777", "portal-residence"
WRITE = "select share.write(%s, %s)"
LINES = "select claimed_client from audit.entry where claimed_client is not null order by entry_id"

FORM = {
    "request_id": str(uuid4()),
    "client_id": PORTAL,
    "agreement": PORTAL,
    "procedure": "dvctt-02",
    "person": "f" * 64,
    "form_of": "2026-05-01",
    "filled": [],
    "confirm": {},
    "missing_items": [],
}


@pytest.fixture
def attacker(settings: Settings) -> Iterator[Connection]:
    """A session of the API's login, in which any SQL runs."""
    apply_agreements(settings)
    with closing(connect(api_login(settings))) as connection:
        yield connection


@pytest.fixture
def asking(
    settings: Settings, attacker: Connection, database: Connection, believe: Callable[..., str]
) -> Asking:
    """The API beside the attacker, whose session it shares."""
    believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    with database, database.cursor() as cursor:
        cursor.execute("insert into share.client (client_id, agreement) values (%s, %s)", (PORTAL, PORTAL))
    return Asking(attacker, proof_keys(settings), PORTAL)


FILL = Question("prefill", {"person.personal_id": NUMBER}, ("person.full_name",), partly=True)


def rows(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_the_login_may_write_no_row_of_any_table(attacker: Connection, database: Connection) -> None:
    writable = rows(
        database,
        "select r.oid::regclass::text from pg_class as r "
        "where r.relkind in ('r', 'v', 'p') and r.relnamespace::regnamespace::text !~ '^pg_|^information' "
        "and (has_table_privilege('oncehub_api', r.oid, 'insert, update, delete, truncate, trigger') "
        "or has_any_column_privilege('oncehub_api', r.oid, 'insert, update, references'))",
    )
    assert writable == []
    for table in ("share.prefill", "share.request", "intake.submission", "entitled.consent", "hub.key"):
        with attacker.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(f"insert into {table} default values")
        attacker.rollback()


def form_of(asking: Asking, **changed: Any) -> Signed:
    """Sign a row as the API does for the request."""
    return asking.keys.sign("rows", asking.request_id, {"into": "share.prefill", "rows": [FORM]} | changed)


def test_a_row_that_is_not_proven_is_not_written_and_leaves_a_line(
    asking: Asking, attacker: Connection, database: Connection
) -> None:
    asking.open(FILL)
    signed = form_of(asking)
    message = json.loads(signed.message)
    late = json.dumps(message | {"at": message["at"] - 61_000_000})
    wrong = [
        Signed(signed.message, bytes(32), signed.at),
        Signed(signed.message.replace("dvctt-02", "dvctt-03"), signed.code, signed.at),
        asking.keys.sign("lines", asking.request_id, message),
        Signed(late, signed.code, signed.at),
    ]
    with attacker.cursor() as cursor:
        for each in wrong:
            cursor.execute(WRITE, (each.message, each.code))
            assert cursor.fetchone() == (None,)
        for nulls in ((None, signed.code), (signed.message, None)):
            cursor.execute(WRITE, nulls)
            assert cursor.fetchone() == (None,)
        cursor.execute(WRITE, (signed.message, signed.code))
        assert cursor.fetchone() == ({"written": 1},)
    attacker.commit()
    assert rows(database, "select client_id, agreement, request_id::text from share.prefill") == [
        (PORTAL, PORTAL, str(asking.request_id))
    ]
    assert rows(database, LINES) == [("(forged)",)] * 4


def test_a_row_is_written_in_its_own_open_request_alone(
    asking: Asking, settings: Settings, attacker: Connection, database: Connection
) -> None:
    before = form_of(asking)
    assert rows(attacker, WRITE, before.message, before.code) == [(None,)]
    asking.open(FILL)
    others = Asking(attacker, asking.keys, PORTAL)
    signed, foreign = form_of(asking), form_of(others)
    with attacker.cursor() as cursor:
        cursor.execute(WRITE, (foreign.message, foreign.code))
        assert cursor.fetchone() == (None,)
    with closing(connect(api_login(settings))) as other:
        assert rows(other, WRITE, signed.message, signed.code) == [(None,)]
    attacker.rollback()
    # What was opened once is not opened again, and the row goes with it.
    assert rows(attacker, WRITE, signed.message, signed.code) == [(None,)]
    assert rows(database, "select from share.prefill") == []
    assert {each for (each,) in rows(database, LINES)} == {"(not entitled)"}


def test_what_is_written_is_of_the_action_and_the_agreement_of_the_request(
    asking: Asking, attacker: Connection, database: Connection, believe: Callable[..., str]
) -> None:
    binh = believe(personal_id="001084555778", full_name="Lê Văn Bình")
    consent = {
        "consent_id": str(uuid4()),
        "person_key": binh,
        "agreement": "bank-accounts",
        "agency": "A02",
        "purpose": "dpv:RequestedServiceProvision",
        "attributes": ["person.full_name"],
        "text_version": "1",
        "text_digest": "0" * 64,
        "given_at": "2026-05-01T00:00:00Z",
        "channel": "portal",
        "reference": "T-000001",
        "vouched_by": "provider",
    }
    asking.open(FILL)
    for table, row in (
        ("share.consent", consent),
        ("share.submission", {"request_id": FORM["request_id"], "dossier": "D", "digest": b"x", "kept": []}),
        ("share.request", {"request_id": str(uuid4()), "kind": "erasure", "party": "controller"}),
        ("truth.decision", {"case_id": 1, "verdict": "same", "reason": "x", "decided_by": "x"}),
        ("share.consumer_offset", {"feed": "residence", "kind": "fetched", "sequence": 1}),
        ("audit.entry", {"action": "lookup"}),
        ("truth.person", {"person_key": binh}),
    ):
        with proving(asking.keys, asking.request_id), pytest.raises(StoreError):
            insert(attacker, table, row)  # type: ignore[arg-type]
    attacker.rollback()
    asking.request_id = uuid4()
    asking.open(Question("consent", {"person.personal_id": NUMBER}, ("person.full_name",)))
    # A person whom the request is not about.
    with (
        proving(asking.keys, asking.request_id),
        pytest.raises(psycopg2.errors.WithCheckOptionViolation),
    ):
        insert(attacker, "share.consent", consent)
    attacker.rollback()
    assert rows(database, "select from share.consent") == []
