"""The second wall: in the database, each agreement has a role, and a schema through which it sees people.

The first wall is the API's: it refuses what an agreement does not cover. Where it has a hole, the database
still gives nothing else: the API's login can read nobody, and may become the role of an agreement, for which
the files `wall_*.sql` make functions and views that see its attributes of its people.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import encrypt_password, parse_dsn

from oncehub.config.agreements import Agreement
from oncehub.config.entities import load_entities
from oncehub.encryption.field_values import sensitive_of
from oncehub.errors import StoreOutdated
from oncehub.settings import Settings
from oncehub.share.access.statements import wall_statements
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.roles import API_ROLE, ROLE_PREFIX, SCHEMA_PREFIX, role_of, schema_of
from oncehub.store.connection import Connection, Cursor
from oncehub.store.migrate import opened

_ATTEMPTS = 5

_STANDING = """
select substr(nspname, length(%(prefix)s) + 1), obj_description(oid, 'pg_namespace')
from pg_namespace
where starts_with(nspname, %(prefix)s)
"""

# What roles of agreements were given beside what their own schema holds.
_STRAY = """
select distinct substr(r.rolname, length(%(role)s) + 1)
from pg_roles r
join pg_shdepend d on d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid
cross join lateral pg_identify_object_as_address(d.classid, d.objid, d.objsubid) a
where starts_with(r.rolname, %(role)s)
    and d.dbid = (select oid from pg_database where datname = current_database())
    and a.object_names[1] <> %(schema)s || substr(r.rolname, length(%(role)s) + 1)
"""

_MEMBER = """
select exists (
    select from pg_auth_members m
    where m.roleid = to_regrole(%(role)s) and m.member = to_regrole(%(api)s)
        and m.set_option and not m.inherit_option and not m.admin_option
)
"""

# The roles are the server's, so that another hub's database may be making the same one.
_AT_ONCE = (
    psycopg2.errors.DuplicateObject,
    psycopg2.errors.UniqueViolation,
    psycopg2.errors.InternalError_,
)


def build_wall(
    connection: Connection, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> list[str]:
    """Bring roles, schemas and grants to what the agreements say; a second time changes nothing.

    What is no longer granted is taken away, also what was granted by hand. Agreements that have ended keep
    theirs: that they are over is for the first wall.

    Args:
        connection: the hub's own, with the right to make roles.
        agreements: all, by name.
        encrypted: attributes that are encrypted, see `encrypted_attributes`.

    Returns:
        Names of the agreements whose part of the wall was built or torn down.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('oncehub wall', 0))")
        _close_to_public(cursor)
        for name in agreements:
            _ensure_role(cursor, name)
        changed = set(_changed(cursor, agreements, encrypted))
        for name in changed:
            _tear_down(cursor, name)
            if name in agreements:
                _build(cursor, agreements[name], encrypted)
        gone = changed - set(agreements)
    for name in gone:
        _drop_role(connection, name)
    return sorted(changed)


def apply_agreements(settings: Settings) -> list[str]:
    """Build the wall as `mappings/agreements/` says, and let the API log in; see `build_wall`.

    Raises:
        ConfigError: when an agreement is wrong.
        StoreUnavailable, StoreOutdated: when the database cannot be used.
    """
    agreements = load_agreements(settings)
    with opened(settings) as connection:
        if settings.api_database_url:
            _let_in(connection, settings.api_database_url)
        return build_wall(connection, agreements, encrypted_attributes(settings))


def _let_in(connection: Connection, api_url: str) -> None:
    """Give the API's login the password of its URL; what is sent is its SCRAM verifier."""
    login = parse_dsn(api_url)
    if login.get("user") == API_ROLE and login.get("password"):
        verifier = encrypt_password(login["password"], API_ROLE, connection, "scram-sha-256")
        with connection, connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("alter role {} password {}").format(sql.Identifier(API_ROLE), sql.Literal(verifier))
            )


def encrypted_attributes(settings: Settings) -> list[str]:
    """Return the attributes of a person that are encrypted, without `person.`."""
    return sorted(sensitive_of(load_entities(settings.schemas)["person"]))


def require_wall(
    connection: Connection, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> None:
    """Check that the wall is built as the agreements say.

    Raises:
        StoreOutdated: when it is not.
    """
    with connection, connection.cursor() as cursor:
        standing = _standing(cursor)
        wanted = {
            name: _digest(wall_statements(agreement, encrypted, cursor), cursor)
            for name, agreement in agreements.items()
        }
    if differing := sorted({name for name, _ in standing.items() ^ wanted.items()}):
        raise StoreOutdated(
            f"the database's rights are not as the agreements say ({differing[0]} first); "
            "run: oncehub agreements apply"
        )


def _digest(statements: sql.Composed, cursor: Cursor) -> str:
    return hashlib.sha256(statements.as_string(cursor).encode()).hexdigest()


def _standing(cursor: Cursor) -> dict[str, str]:
    cursor.execute(_STANDING, {"prefix": SCHEMA_PREFIX})
    return dict(cursor.fetchall())


def _changed(
    cursor: Cursor, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> Iterator[str]:
    standing = _standing(cursor)
    yield from standing.keys() - agreements.keys()
    cursor.execute(_STRAY, {"role": ROLE_PREFIX, "schema": SCHEMA_PREFIX})
    yield from (name for (name,) in cursor.fetchall())
    for name, agreement in agreements.items():
        if standing.get(name) != _digest(wall_statements(agreement, encrypted, cursor), cursor):
            yield name


def _build(cursor: Cursor, agreement: Agreement, encrypted: Collection[str]) -> None:
    statements = wall_statements(agreement, encrypted, cursor)
    cursor.execute(statements)
    cursor.execute(
        sql.SQL("comment on schema {} is {}").format(
            sql.Identifier(schema_of(agreement.name)), sql.Literal(_digest(statements, cursor))
        )
    )


def _tear_down(cursor: Cursor, name: str) -> None:
    role = sql.Identifier(role_of(name))
    cursor.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema_of(name))))
    # Whoever is not the server's superuser must have a role's rights to take them away.
    cursor.execute("select pg_has_role(%s, 'usage')", (role_of(name),))
    if cursor.fetchone() == (False,):
        cursor.execute(sql.SQL("grant {} to current_user with inherit true, set false").format(role))
    cursor.execute(sql.SQL("drop owned by {}").format(role))


def _ensure_role(cursor: Cursor, name: str) -> None:
    names = {"role": role_of(name), "api": API_ROLE}
    quoted = {"role": f'"{role_of(name)}"', "api": API_ROLE}
    role, api = sql.Identifier(names["role"]), sql.Identifier(API_ROLE)
    for attempt in range(_ATTEMPTS):
        cursor.execute("savepoint role")
        try:
            cursor.execute("select to_regrole(%(role)s) is null", quoted)
            if cursor.fetchone() == (True,):
                cursor.execute(sql.SQL("create role {} nologin").format(role))
            cursor.execute(_MEMBER, quoted)
            if cursor.fetchone() == (False,):
                cursor.execute(
                    sql.SQL("grant {} to {} with inherit false, set true, admin false").format(role, api)
                )
        except _AT_ONCE:
            cursor.execute("rollback to savepoint role")
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            cursor.execute("release savepoint role")
            return


def _drop_role(connection: Connection, name: str) -> None:
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role_of(name))))
    except psycopg2.errors.DependentObjectsStillExist:
        # Another hub's database on this server has an agreement of that name.
        return


def _close_to_public(cursor: Cursor) -> None:
    """Take from everybody what every new database gives them: to make temporary tables."""
    cursor.execute(
        "select current_database() from pg_database "
        "where datname = current_database() and has_database_privilege(%s, oid, 'temporary')",
        (API_ROLE,),
    )
    for (database,) in cursor.fetchall():
        cursor.execute(
            sql.SQL("revoke temporary on database {} from public").format(sql.Identifier(database))
        )
