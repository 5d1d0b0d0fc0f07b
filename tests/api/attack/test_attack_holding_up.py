"""SQL of an attacker's own, run as the API's login, holds up neither signing, reconcile nor a change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from oncehub.api.database import api_login
from oncehub.audit.log.entries import Entry, write
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.errors import StoreOutdated
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.share.access.login_settings import require_login_settings
from oncehub.share.access.rights import require_rights
from oncehub.store import overlong
from oncehub.store.connection import Connection, connect, locked
from oncehub.store.overlong import OverlongTransactions
from oncehub.store.schema_change import change_schema, hold_back_readers
from oncehub.watch.guard import guarding

from ..server.processes import await_true

REFUSED = (
    "select {lock}(hashtextextended('audit checkpoint', 0))",
    "select {lock}(hashtextextended('reconcile', 0))",
    "select {lock}(hashtextextended('oncehub change of schema', 0))",
    "select {lock}(hashtextextended('oncehub readers', 0))",
    "select {lock}(hashtextextended('keys in use', 0))",
    "select {lock}(1, 2)",
)
LOCKS = [
    f"pg_{attempt}advisory_{kind}lock{shared}"
    for attempt in ("", "try_")
    for kind in ("", "xact_")
    for shared in ("", "_shared")
]
ELSE_REFUSED = (
    "select share.lock_consents('bank-accounts')",
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
    "select lo_put(1, 0, 'x')",
    "select pg_notify('all', 'x')",
    "select pg_logical_emit_message(false, 'x', repeat('x', 1000))",
    "select pg_export_snapshot()",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'oncehub_api'",
    "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'oncehub_api'",
    "create temporary table held (a integer)",
    "create table public.held (a integer)",
    "create schema held",
    "lock table share.client in share mode",
    "lock table audit.entry in access share mode",
    "select from share.client for share",
    "set session_replication_role = replica",
    "set track_activities = on",
    "alter role oncehub_api connection limit -1",
    "alter role oncehub_api set track_activities = on",
    "set role oncehub_signing",
    "set session authorization oncehub_signing",
)


@pytest.fixture
def attacker(settings: Settings) -> Iterator[Connection]:
    """A session of the API's login, in which any SQL runs."""
    apply_agreements(settings)
    with closing(connect(api_login(settings))) as connection:
        yield connection


def test_the_login_has_no_lock_large_object_message_or_signal(attacker: Connection) -> None:
    statements = [each.format(lock=lock) for lock in LOCKS for each in REFUSED]
    for statement in [*statements, *ELSE_REFUSED]:
        with attacker.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)
        attacker.rollback()
    # What is prepared outlives its session, and with it the guard.
    with attacker.cursor() as cursor, pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        cursor.execute("prepare transaction 'held'")
    attacker.rollback()
    require_login_settings(attacker)


def test_what_everybody_may_call_again_is_noticed_and_taken_away(
    settings: Settings, database: Connection, attacker: Connection
) -> None:
    given = ("pg_advisory_lock(bigint)", "lo_create(oid)", "pg_terminate_backend(integer, bigint)")
    with database, database.cursor() as cursor:
        for function in given:
            cursor.execute(f"grant execute on function {function} to public")
    with pytest.raises(StoreOutdated) as refused:
        require_rights(attacker)
    rights = {f"execute on function pg_catalog.{function} to public" for function in given}
    assert all(right in str(refused.value) for right in rights)
    assert rights <= set(apply_agreements(settings))
    require_rights(attacker)


def test_settings_that_the_login_gives_itself_for_later_sessions_are_noticed_and_taken_away(
    settings: Settings, database: Connection, attacker: Connection
) -> None:
    own = (
        "alter role oncehub_api set transaction_timeout = 0",
        "alter role oncehub_api set search_path = pg_temp",
        f"alter role oncehub_api in database {database.info.dbname} set default_transaction_read_only = on",
    )
    try:
        for statement in own:
            with attacker, attacker.cursor() as cursor:
                cursor.execute(statement)
            with pytest.raises(StoreOutdated, match="set for the login"):
                require_login_settings(attacker)
            apply_agreements(settings)
            require_login_settings(attacker)
    finally:
        apply_agreements(settings)


def test_the_login_leaves_connections_to_others(settings: Settings, attacker: Connection) -> None:
    sessions = [attacker]
    try:
        sessions += [psycopg2.connect(api_login(settings)) for _ in range(59)]
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            psycopg2.connect(api_login(settings))
        with closing(connect(str(settings.database_url))) as own, locked(own, "anything") as got:
            assert got
    finally:
        for session in sessions[1:]:
            session.close()


HOLD = "set transaction_timeout = 0; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0"


def hold(connection: Connection, *statements: str) -> None:
    """Open a transaction that neither its settings nor the server's would end."""
    with connection.cursor() as cursor:
        for statement in (HOLD, *statements):
            cursor.execute(statement)


def ended(connection: Connection) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select")
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return True
    return False


def test_a_transaction_left_open_is_ended_by_the_guard_and_signing_goes_on(
    settings: Settings, attacker: Connection, database: Connection, entry: Callable[..., Entry]
) -> None:
    # It has a number, so lines after it are not signed: it might yet add one.
    hold(attacker, "select share.ask('{}', 'x', 'x')", "savepoint a")
    with database:
        write(database, entry())
    assert write_checkpoints(settings).lines == 0
    with guarding(settings, OverlongTransactions(timedelta(seconds=0.2)), every=0.1):
        await_true(lambda: ended(attacker), 30)
    assert write_checkpoints(settings).lines >= 1


def test_short_transactions_one_after_the_other_are_left_alone(
    settings: Settings, attacker: Connection, database: Connection
) -> None:
    now = 0.0
    transactions = OverlongTransactions(timedelta(seconds=30), lambda: now)
    for _ in range(3):
        hold(attacker)
        assert transactions.end(database) == 0
        now += 29
        assert transactions.end(database) == 0
        attacker.rollback()
        now += 2
        assert transactions.end(database) == 0
    hold(attacker)
    with database, database.cursor() as cursor:
        cursor.execute("select")
    assert transactions.end(database) == 0
    now += 30
    assert transactions.end(database) == 1
    assert ended(attacker)


def test_a_change_of_the_schema_ends_what_holds_it_up(
    settings: Settings, attacker: Connection, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlong, "LONGEST", timedelta(seconds=1))
    hold(attacker, "select hub.begin_reading()", "select from share.client")

    def change(cursor: Any) -> str:
        hold_back_readers(cursor)
        cursor.execute("alter table share.client add column held boolean")
        return "changed"

    assert change_schema(database, change) == "changed"
    assert ended(attacker)


def test_many_sleeping_sessions_end_all_at_once(
    settings: Settings, attacker: Connection, database: Connection
) -> None:
    sessions = [connect(api_login(settings)) for _ in range(5)]

    def sleep(session: Connection) -> None:
        with pytest.raises((psycopg2.OperationalError, psycopg2.InterfaceError)):
            hold(session, "select pg_sleep(600)")

    threads = [threading.Thread(target=sleep, args=(each,)) for each in sessions]
    for thread in threads:
        thread.start()
    with guarding(settings, OverlongTransactions(timedelta(seconds=0.2)), every=0.1):
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
