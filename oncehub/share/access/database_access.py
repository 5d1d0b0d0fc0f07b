"""Database access: each agreement has a role, and a schema with the rows and columns that the role may read.

The API refuses what an agreement does not cover. Should one of its checks fail, the database still gives
nothing else: the API's own login reads no person. It may become the role of an agreement, for which the files
in `sql/` create functions and views over the attributes and people that the agreement covers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from oncehub.config.agreements import Agreement
from oncehub.config.entities import load_entities
from oncehub.encryption.field_values import sensitive_of
from oncehub.errors import StoreOutdated
from oncehub.settings import Settings
from oncehub.share.access.login_settings import hide_statements
from oncehub.share.access.rights import require_rights, restore_rights
from oncehub.share.access.statements import access_statements
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.roles import API_ROLE, ROLE_PREFIX, SCHEMA_PREFIX, role_of, schema_of
from oncehub.store.connection import Connection, Cursor, parts_of_url
from oncehub.store.migrate import opened
from oncehub.store.schema_change import change_schema, hold_back_readers

SIGNING_ROLE = "oncehub_signing"
"""The login that signs the access log, see `store/migrations/`."""

_STANDING = """
select substr(nspname, length(%(prefix)s) + 1), obj_description(oid, 'pg_namespace')
from pg_namespace
where starts_with(nspname, %(prefix)s)
"""

# Agreements whose role has rights outside its own schema.
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


def build_database_access(
    connection: Connection, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> list[str]:
    """Create or change roles, schemas and grants to match the agreements; a second run changes nothing.

    It is one transaction: readers have the rights before it or after it. Rights that no agreement grants are
    revoked, including those granted by hand. Agreements that have ended keep their rights; the API checks the
    dates.

    Args:
        connection: the hub's own, with the right to make roles.
        agreements: all, by name.
        encrypted: attributes that are encrypted, see `encrypted_attributes`.

    Returns:
        Names of the agreements whose access was built or removed, and rights that were restored.
    """
    return change_schema(connection, lambda cursor: match_agreements(cursor, agreements, encrypted))


def match_agreements(
    cursor: Cursor, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> list[str]:
    """Do as `build_database_access` in the transaction of a change of schema, see `change_schema`."""
    _close_to_public(cursor)
    hide_statements(cursor)
    # Two hubs on one server wait for each other's roles: the same order prevents a deadlock.
    for name in sorted(agreements):
        _ensure_role(cursor, name)
    changed = sorted(set(_changed(cursor, agreements, encrypted)))
    if changed:
        hold_back_readers(cursor)
    for name in changed:
        _tear_down(cursor, name)
        if name in agreements:
            _build(cursor, agreements[name], encrypted)
        else:
            _drop_role(cursor, name)
    return changed + restore_rights(cursor)


def apply_agreements(settings: Settings) -> list[str]:
    """Build database access from `mappings/agreements/`, and let the API log in; see `build_database_access`.

    Raises:
        ConfigError: when an agreement is wrong.
        StoreUnavailable, StoreOutdated: when the database cannot be used, or has rights that are not due and
            that the hub's login cannot take away.
    """
    agreements, encrypted = load_agreements(settings), encrypted_attributes(settings)

    def change(cursor: Cursor) -> list[str]:
        admit_logins(cursor, settings)
        return match_agreements(cursor, agreements, encrypted)

    with opened(settings) as connection:
        changed = change_schema(connection, change)
        require_rights(connection)
    return changed


def admit_logins(cursor: Cursor, settings: Settings) -> None:
    """Set the passwords of the API's and the signing login from their URLs; only SCRAM verifiers are sent.

    Raises:
        ConfigError: when a URL is not valid.
    """
    urls = {
        API_ROLE: (settings.api_database_url, "ONCEHUB_API_DATABASE_URL"),
        SIGNING_ROLE: (settings.signing_database_url, "ONCEHUB_SIGNING_DATABASE_URL"),
    }
    for role, (url, variable) in urls.items():
        login = parts_of_url(url, variable) if url else {}
        if login.get("user") == role and login.get("password"):
            verifier = encrypt_password(login["password"], role, cursor.connection, "scram-sha-256")
            cursor.execute(
                sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier))
            )


def encrypted_attributes(settings: Settings) -> list[str]:
    """Return the attributes of a person that are encrypted, without `person.`."""
    return sorted(sensitive_of(load_entities(settings.schemas)["person"]))


def require_database_access(
    connection: Connection, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> None:
    """Check that database access matches the agreements.

    Raises:
        StoreOutdated: when it is not.
    """
    with connection, connection.cursor() as cursor:
        standing = _standing(cursor)
        wanted = {
            name: _digest(access_statements(agreement, encrypted, cursor), cursor)
            for name, agreement in agreements.items()
        }
    if differing := sorted({name for name, _ in standing.items() ^ wanted.items()}):
        raise StoreOutdated(
            f"the database's rights differ from the agreements ({differing[0]} first); "
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
        if standing.get(name) != _digest(access_statements(agreement, encrypted, cursor), cursor):
            yield name


def _build(cursor: Cursor, agreement: Agreement, encrypted: Collection[str]) -> None:
    statements = access_statements(agreement, encrypted, cursor)
    cursor.execute(statements)
    cursor.execute(
        sql.SQL("comment on schema {} is {}").format(
            sql.Identifier(schema_of(agreement.name)), sql.Literal(_digest(statements, cursor))
        )
    )


def _tear_down(cursor: Cursor, name: str) -> None:
    role = sql.Identifier(role_of(name))
    cursor.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema_of(name))))
    # A user who is no superuser must hold the rights of a role to revoke them.
    cursor.execute("select pg_has_role(%s, 'usage')", (role_of(name),))
    if cursor.fetchone() == (False,):
        cursor.execute(sql.SQL("grant {} to current_user with inherit true, set false").format(role))
    cursor.execute(sql.SQL("drop owned by {}").format(role))


def _ensure_role(cursor: Cursor, name: str) -> None:
    quoted = {"role": f'"{role_of(name)}"', "api": API_ROLE}
    role, api = sql.Identifier(role_of(name)), sql.Identifier(API_ROLE)
    cursor.execute("select to_regrole(%(role)s) is null", quoted)
    if cursor.fetchone() == (True,):
        cursor.execute(sql.SQL("create role {} nologin").format(role))
    cursor.execute(_MEMBER, quoted)
    if cursor.fetchone() == (False,):
        cursor.execute(sql.SQL("grant {} to {} with inherit false, set true, admin false").format(role, api))


def _drop_role(cursor: Cursor, name: str) -> None:
    cursor.execute("savepoint role")
    try:
        cursor.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role_of(name))))
    except psycopg2.errors.DependentObjectsStillExist:
        # The hub of another database on this server has an agreement of that name.
        cursor.execute("rollback to savepoint role")


def _close_to_public(cursor: Cursor) -> None:
    """Revoke the right to create temporary tables, which every new database grants to public."""
    cursor.execute(
        "select current_database() from pg_database "
        "where datname = current_database() and has_database_privilege(%s, oid, 'temporary')",
        (API_ROLE,),
    )
    for (database,) in cursor.fetchall():
        cursor.execute(
            sql.SQL("revoke temporary on database {} from public").format(sql.Identifier(database))
        )
