"""Every right that the API has in the database, and what SQL of an attacker's own gets by them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2.errors
import pytest

from oncehub.api.database import api_login
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.share.access.rights import compare_rights
from oncehub.store.connection import Connection, connect
from oncehub.store.migrate import migrate

NUMBER = "001084000999"
PORTAL = "portal-residence"

FORBIDDEN = [
    "select * from truth.person",
    "select * from truth.identifier",
    "select * from audit.entry",
    "insert into audit.entry (client_id) values ('x')",
    "select share.find_person_key('{personal_id}', '{1}')",
    "select * from truth.decision",
    "select truth.own_keys(gen_random_uuid())",
    "select * from truth.requests_of(gen_random_uuid())",
    "select * from share.reusable_papers(gen_random_uuid(), '[]')",
    "select * from audit.usage_of('{}', '{}', now(), now(), '{}', '{}', '{}', 0, 1)",
    "select * from share.look_at(null, gen_random_uuid(), '{full_name}')",
    "select * from share.entitlement",
    "select * from share.request_key",
    "select * from share.asked",
    "insert into share.asked (request_id, step, code) values (gen_random_uuid(), 1, '')",
    "select share.proves('oncehub request', '', '')",
    "create view entitled.mine as select 1",
    "set role postgres",
    "set role pg_read_all_data",
    "set session authorization postgres",
    "create temporary table mine (x int)",
]


@pytest.fixture
def attacker(settings: Settings) -> Iterator[Connection]:
    """A session of the API's login, in which any SQL runs."""
    apply_agreements(settings)
    connection = connect(api_login(settings))
    yield connection
    connection.close()


def _rows(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_no_sql_of_the_login_reads_a_person_or_changes_what_decides(attacker: Connection) -> None:
    for statement in FORBIDDEN:
        with (
            attacker.cursor() as cursor,
            pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.InvalidParameterValue)),
        ):
            cursor.execute(statement)
        attacker.rollback()


def test_the_login_is_not_the_owners_whatever_it_resets(attacker: Connection) -> None:
    _rows(attacker, "select 1")
    with attacker.cursor() as cursor:
        for back in ("reset role", "set role none", "reset session authorization"):
            cursor.execute(back)
            cursor.execute("select current_user, session_user")
            assert cursor.fetchone() == ("oncehub_api", "oncehub_api")


def test_the_sql_files_grant_the_rights_that_are_due_and_no_others(
    settings: Settings, database: Connection
) -> None:
    name = f"bare_{uuid.uuid4().hex}"
    database.autocommit = True
    with database.cursor() as cursor:
        cursor.execute(f"create database {name}")
    with closing(connect(str(settings.database_url).replace(database.info.dbname, name))) as bare:
        migrate(bare)
        with bare, bare.cursor() as cursor:
            differ = compare_rights(cursor)
    with database.cursor() as cursor:
        cursor.execute(f"drop database {name}")
    # An administrator, or `oncehub init`, closes what every new database leaves open.
    opened = ("temporary on database ", "execute on function pg_catalog.")
    assert [right for right in differ.beyond + differ.lacking if not right.startswith(opened)] == []
