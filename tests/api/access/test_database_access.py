"""Every right that the API has in the database, and what SQL of an attacker's own gets by them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2.errors
import pytest

from oncehub.api.database import api_login
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.share.access.rights import compare_rights
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.roles import role_of, schema_of
from oncehub.store.connection import Connection, connect
from oncehub.store.migrate import migrate

NUMBER = "001084000999"
PORTAL = "portal-residence"

_RIGHTS = """
select what from (
    select n.nspname || '.' || r.relname || ': ' || lower(a.privilege_type) as what, a.grantee
    from pg_class r join pg_namespace n on n.oid = r.relnamespace, aclexplode(r.relacl) a
    union all
    select n.nspname || '.' || r.relname || ': ' || lower(a.privilege_type)
        || ' (' || string_agg(t.attname, ', ' order by t.attnum) || ')', a.grantee
    from pg_attribute t join pg_class r on r.oid = t.attrelid join pg_namespace n on n.oid = r.relnamespace,
        aclexplode(t.attacl) a
    group by n.nspname, r.relname, a.privilege_type, a.grantee
    union all
    select n.nspname || '.' || p.proname || '()', a.grantee
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(p.proacl) a
) given
where grantee = to_regrole(%s)
"""

FORBIDDEN = [
    "select * from truth.person",
    "select * from truth.identifier",
    "select * from audit.entry",
    f'select * from "{schema_of(PORTAL)}".person',
    f"""select * from "{schema_of(PORTAL)}".look_up('{{passport}}', '{{C1234567}}')""",
    f"""select * from "{schema_of("tax-registration")}".look_up('{{personal_id}}', '{{{NUMBER}}}')""",
    "insert into audit.entry (client_id) values ('x')",
    "select share.find_person_key('{personal_id}', '{1}')",
    "select * from truth.decision",
    "select truth.own_keys(gen_random_uuid())",
    "select * from truth.requests_of(gen_random_uuid())",
    "select * from share.reusable_papers(gen_random_uuid(), '{}', '{}', '{}')",
    "select * from audit.usage_of('{}', '{}', now(), now(), '{}', '{}', '{}', 0, 1)",
    "set role postgres",
    "set role pg_read_all_data",
    "set session authorization postgres",
    "create temporary table mine (x int)",
    f'create view "{schema_of(PORTAL)}".mine as select 1',
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


def test_an_agreements_role_may_call_functions_of_its_own_schema_only(
    settings: Settings, database: Connection
) -> None:
    for name in load_agreements(settings):
        rights = [right for (right,) in _rows(database, _RIGHTS, f'"{role_of(name)}"')]
        assert f"{schema_of(name)}.look_up()" in rights
        assert {right.split(".")[0] for right in rights} == {schema_of(name)}
        assert f"{schema_of(name)}.person: select" not in rights


def test_no_sql_of_an_agreements_role_gets_beyond_its_schema(attacker: Connection) -> None:
    for statement in FORBIDDEN:
        with attacker.cursor() as cursor:
            cursor.execute(f'set role "{role_of(PORTAL)}"')
            with pytest.raises(
                (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.InvalidParameterValue)
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


def test_a_number_that_is_known_gives_what_the_agreement_covers_and_not_where_it_comes_from(
    attacker: Connection, believe: Callable[..., str]
) -> None:
    believe(personal_id=NUMBER, full_name="Nguyễn Thị An", tax_code="8000000011", religion="sentinel")
    with attacker.cursor() as cursor:
        cursor.execute(f'set role "{role_of(PORTAL)}"')
        cursor.execute(
            f'select to_jsonb(person)::text from "{schema_of(PORTAL)}".look_up(%s, %s)',
            (["personal_id"], [NUMBER]),
        )
        ((given,),) = cursor.fetchall()
    assert "Nguyễn Thị An" in given
    for uncovered in ("sentinel", "religion", "8000000011", "tax_code", "source_key"):
        assert uncovered not in given


def test_what_was_granted_by_hand_is_taken_away_and_a_second_time_changes_nothing(
    settings: Settings, database: Connection
) -> None:
    _rows(database, f'grant select on truth.person to "{role_of(PORTAL)}"; select 1')
    assert apply_agreements(settings) == [PORTAL]
    granted = "select has_table_privilege(%s, 'truth.person', 'select')"
    assert _rows(database, granted, role_of(PORTAL)) == [(False,)]
    assert apply_agreements(settings) == []


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
    assert [right for right in differ.beyond if not right.startswith("temporary on database")] == []
    assert differ.lacking == ()
