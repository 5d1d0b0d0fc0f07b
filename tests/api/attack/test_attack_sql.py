"""SQL of an attacker's own, run as the API's login: injected into the API, or with its password."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from oncehub.api.database import api_login
from oncehub.encryption.secrets import create_key, symmetric_key
from oncehub.errors import StoreOutdated
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.share.access.rights import require_rights
from oncehub.share.people.lookup import Question
from oncehub.share.request_proofs import ProofKeys, Signed
from oncehub.store.connection import Connection, connect
from tests.api.asking import ASK, OPEN, Asking, proof_keys

NUMBER, PORTAL = "001184555777", "portal-residence"

BY_HAND = {
    "grant select on truth.person to oncehub_api": "select on table truth.person to oncehub_api",
    "grant select (phone) on truth.person to public": "select (phone) on table truth.person to public",
    "grant pg_read_all_data to oncehub_api": "pg_read_all_data to oncehub_api",
    "alter role oncehub_api superuser": "oncehub_api superuser",
    "alter role oncehub_signing createrole inherit": "oncehub_signing inherit",
    "grant create on schema public to public": "create on schema public to public",
    "grant select on pg_authid to oncehub_api": "select on table pg_catalog.pg_authid to oncehub_api",
    "grant set on parameter work_mem to oncehub_api": "set on parameter work_mem to oncehub_api",
    "create function share.peek() returns bigint language sql security definer as "
    "'select count(*) from truth.person'": "execute on function share.peek() to public",
    "revoke select on share.client from oncehub_api": "select on table share.client to oncehub_api",
}


@pytest.fixture
def attacker(settings: Settings) -> Iterator[Connection]:
    """A session of the API's login, in which any SQL runs."""
    apply_agreements(settings)
    with closing(connect(api_login(settings))) as connection:
        yield connection


def test_no_session_sees_what_another_of_the_same_login_asks(
    settings: Settings, attacker: Connection
) -> None:
    with closing(connect(api_login(settings))) as asking, asking.cursor() as cursor:
        cursor.execute("select %s", (NUMBER,))
        with attacker.cursor() as watching:
            watching.execute("select query from pg_stat_activity where pid = %s", (asking.info.backend_pid,))
            assert watching.fetchall() == [("",)]
            for opened in ("set track_activities = on", "set log_min_error_statement = error"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    watching.execute(opened)
                attacker.rollback()


def test_the_servers_log_holds_nothing_that_the_api_asks(attacker: Connection, database: Connection) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("select current_setting('data_directory')")
        ((folder,),) = cursor.fetchall()
    with attacker.cursor() as cursor, suppress(psycopg2.errors.InvalidTextRepresentation):
        cursor.execute("set application_name = 'marked'; select %s, 'no number'::integer", (NUMBER,))
    with database, database.cursor() as cursor, suppress(psycopg2.errors.InvalidTextRepresentation):
        cursor.execute("select 'of the owner'::integer")
    written = "".join(
        path.read_text("utf-8") for path in Path(folder).parent.rglob("*log*") if path.is_file()
    )
    assert "of the owner" in written
    assert NUMBER not in written


def test_rights_that_were_given_by_hand_are_noticed_and_taken_away(
    settings: Settings, database: Connection, attacker: Connection
) -> None:
    database.autocommit = True
    with database.cursor() as cursor:
        for change, right in BY_HAND.items():
            cursor.execute(change)
            with pytest.raises(StoreOutdated) as refused:
                require_rights(attacker)
            assert right in str(refused.value), change
    assert set(BY_HAND.values()) <= set(apply_agreements(settings))
    require_rights(attacker)
    assert apply_agreements(settings) == []


WHO, NAME = {"person.personal_id": NUMBER}, "person.full_name"
TELL = "select outcome, key::text, given from share.tell(%s, %s::uuid, %s)"
LINES = "select outcome, claimed_client, request_id::text from audit.entry order by entry_id"


@pytest.fixture
def asking(settings: Settings, attacker: Connection, database: Connection) -> Asking:
    """The API beside the attacker, whose session it shares: nothing that a session holds proves anything."""
    with database, database.cursor() as cursor:
        cursor.execute("insert into share.client (client_id, agreement) values (%s, %s)", (PORTAL, PORTAL))
    return Asking(attacker, proof_keys(settings), PORTAL)


def look_up(asking: Asking) -> tuple[str, Signed]:
    """Give the id of a new request of the API, and what it signs."""
    asking.request_id = uuid4()
    return str(asking.request_id), asking.signed(Question("lookup", WHO, (NAME,)))


def rows(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_no_role_reads_people_and_the_login_may_become_none(attacker: Connection) -> None:
    assert (
        rows(attacker, "select rolname from pg_roles where starts_with(rolname, 'oncehub_agreement')") == []
    )
    member = "select count(*) from pg_auth_members where member = 'oncehub_api'::regrole"
    assert rows(attacker, member) == [(0,)]


def test_what_is_forged_tells_nothing_and_leaves_a_line(
    asking: Asking, attacker: Connection, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    request_id, signed = look_up(asking)
    wrong = [
        Signed(signed.message, bytes(32), signed.at),
        Signed(signed.message, b"", signed.at),
        Signed(signed.message.replace("portal-residence", "portal-identity"), signed.code, signed.at),
        Signed(signed.message.replace(NUMBER, "001184555778"), signed.code, signed.at),
        Signed(signed.message + " ", signed.code, signed.at),
        # A code of another kind of message.
        asking.keys.sign("lines", asking.request_id, json.loads(signed.message)),
        replace(ProofKeys(b"k" * 32, b"p" * 32).sign("request", asking.request_id, {}), at=signed.at),
    ]
    for each in wrong:
        assert asking.ask(each) == "forged"
        assert rows(attacker, TELL, signed.at, request_id, each.code)[0][0] is None
        assert rows(attacker, OPEN, signed.at, request_id, 1, each.code) == []
    for nulls in ((None, signed.code, b""), (signed.message, None, b""), (signed.message, signed.code, None)):
        assert rows(attacker, ASK, *nulls) == [(None,)]
    # With another pseudonym key the log would name somebody else.
    assert rows(attacker, ASK, signed.message, signed.code, b"p" * 128) == [("forged",)]
    assert [line[:2] for line in rows(database, LINES)] == [("refused", "(forged)")] * 8
    for statement in (
        "select * from entitled.agreeing_sources(%s, array['full_name'])",
        "select * from entitled.consents_of(%s, array['bank-accounts'])",
        "select * from entitled.requests_of(%s)",
        "select * from entitled.reusable_papers(%s, '[]')",
        "select unnest(entitled.own_keys(%s))",
    ):
        assert rows(attacker, statement, key) == [], statement
    for statement in ("feed_lines(0, 10)", "notice", "correction_feed", "case_state", "decision"):
        assert rows(attacker, f"select * from entitled.{statement}") == [], statement


def test_a_proof_is_good_once_and_for_a_minute(
    asking: Asking, attacker: Connection, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    request_id, signed = look_up(asking)
    assert asking.ask(signed) == "found"
    told = ("found", key, {"full_name": "Nguyễn Thị An"})
    assert rows(attacker, TELL, signed.at, request_id, signed.code) == [told]
    assert asking.ask(signed) == "repeated"
    # Nothing but the code of what was asked opens it, and a look-up opens no form.
    assert rows(attacker, TELL, signed.at, request_id, bytes(32)) == [(None, None, None)]
    with database, database.cursor() as cursor:
        cursor.execute("update share.asked set at = at - 61000000")
    assert rows(attacker, TELL, signed.at - 61_000_000, request_id, signed.code) == [(None, None, None)]
    stale = json.loads(signed.message) | {"at": json.loads(signed.message)["at"] - 61_000_000}
    message = json.dumps(stale)
    code = hmac.digest(asking.keys.request, f"oncehub request\n{message}".encode(), "sha256")
    assert asking.ask(Signed(message, code, signed.at)) == "late"
    assert [line[:2] for line in rows(database, LINES)] == [
        ("answered", None),
        ("refused", "(repeated)"),
        ("refused", "(late)"),
    ]


@pytest.mark.parametrize("change", ["columns = '{phone}'", "agreement = 'ended'"])
def test_an_agreement_that_ends_or_narrows_after_asking_tells_nothing(
    asking: Asking, attacker: Connection, database: Connection, believe: Callable[..., str], change: str
) -> None:
    believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    request_id, signed = look_up(asking)
    assert asking.ask(signed) == "found"
    rows(database, f"update share.entitlement set {change} where agreement = %s returning 1", PORTAL)
    assert rows(attacker, TELL, signed.at, request_id, signed.code) == [(None, None, None)]


def test_a_line_is_on_disk_before_anything_is_told_whatever_the_session_says(
    asking: Asking, attacker: Connection
) -> None:
    rows(attacker, "set synchronous_commit = off; select 1")
    for statement, signed in ((ASK, look_up(asking)[1]), ("select share.log(%s, %s)", None)):
        with attacker, attacker.cursor() as cursor:
            if signed:
                cursor.execute(statement, (signed.message, signed.code, asking.keys.pseudonym_blocks))
            else:
                cursor.execute(statement, ("{}", b""))
            cursor.execute("show synchronous_commit")
            assert cursor.fetchone() == ("on",)


def test_nothing_is_told_before_its_line_is_committed(
    asking: Asking, attacker: Connection, database: Connection, believe: Callable[..., str]
) -> None:
    believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    request_id, signed = look_up(asking)
    with attacker.cursor() as cursor:
        cursor.execute(ASK, (signed.message, signed.code, asking.keys.pseudonym_blocks))
        assert cursor.fetchone() == ("found",)
        for statement in (TELL, "savepoint s; " + TELL):
            cursor.execute(statement, (signed.at, request_id, signed.code))
            assert cursor.fetchone() == (None, None, None)
    attacker.rollback()
    assert rows(attacker, TELL, signed.at, request_id, signed.code) == [(None, None, None)]
    assert rows(database, LINES) == []


def test_an_open_request_answers_to_its_transaction_about_its_person_and_leaves_its_line(
    asking: Asking,
    settings: Settings,
    attacker: Connection,
    database: Connection,
    believe: Callable[..., str],
) -> None:
    an = believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    binh = believe(personal_id="001084555778", full_name="Lê Văn Bình")
    request_id = str(asking.request_id)
    signed = asking.signed(Question("prefill", WHO, (NAME,), partly=True))
    assert asking.ask(signed) == "found"
    sources = "select attribute from entitled.agreeing_sources(%s, array['full_name'])"
    disputed = "select entitled.disputed_by_owner(%s)"
    with closing(connect(api_login(settings))) as other, attacker.cursor() as cursor:
        cursor.execute(OPEN, (signed.at, request_id, 1, signed.code))
        assert cursor.fetchall() == [("person", an, {"full_name": "Nguyễn Thị An"})]
        cursor.execute("select entitled.people()::text[]")
        assert cursor.fetchall() == [([an],)]
        assert rows(other, "select entitled.people()::text[]") == [([],)]
        cursor.execute(sources, (binh,))
        assert cursor.fetchall() == []
        # In no other transaction, and no second time.
        assert rows(other, disputed, an) == [([],)]
    attacker.rollback()
    assert rows(attacker, "select entitled.people()::text[]") == [([],)]
    assert rows(database, LINES) == [("opened", None, request_id)]


@pytest.mark.parametrize(
    "setting", ["client_encoding = 'LATIN1'", "standard_conforming_strings = on", "timezone = 'Asia/Tokyo'"]
)
def test_what_is_signed_does_not_depend_on_the_session(
    asking: Asking, attacker: Connection, believe: Callable[..., str], setting: str
) -> None:
    believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    rows(attacker, f"set {setting}; select 1")
    assert asking.ask(look_up(asking)[1]) == "found"


def test_a_key_that_another_replaces_is_accepted_for_an_hour(
    asking: Asking, settings: Settings, database: Connection
) -> None:
    (settings.home / "keys" / "request.key").unlink()
    create_key("request", settings.home)
    apply_agreements(settings)
    new = replace(asking, keys=replace(asking.keys, request=symmetric_key("request", settings.home)))
    assert [each.ask(look_up(each)[1]) for each in (asking, new)] == ["nobody", "nobody"]
    with database, database.cursor() as cursor:
        cursor.execute("update share.request_key set valid_until = now() where valid_until is not null")
    assert [each.ask(look_up(each)[1]) for each in (asking, new)] == ["forged", "nobody"]
