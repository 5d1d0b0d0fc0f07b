"""SQL of an attacker's own, run as the API's login: injected into the API, or with its password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import pytest

from oncehub.api.database import api_login
from oncehub.errors import StoreOutdated
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.share.access.rights import require_rights
from oncehub.store.connection import Connection, connect

NUMBER = "001184555777"

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
