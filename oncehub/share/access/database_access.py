"""Database access: what each agreement entitles to, and the rights of the hub's logins.

The API refuses what an agreement does not cover. Should one of its checks fail, the database still gives
nothing else: the API's own login reads no person, and calls functions that decide by `share.entitlement` and
answer to proven requests; see `request_proofs`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from oncehub.config.agreements import Agreement
from oncehub.config.entities import load_entities
from oncehub.encryption.field_values import sensitive_of
from oncehub.errors import StoreOutdated
from oncehub.settings import Settings
from oncehub.share.access.entitlements import entitlement, match_entitlements
from oncehub.share.access.login_settings import settle_login
from oncehub.share.access.rights import require_rights, restore_rights
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.request_proofs import put_request_key
from oncehub.share.roles import API_ROLE
from oncehub.store.connection import Connection, Cursor, parts_of_url
from oncehub.store.migrate import opened
from oncehub.store.schema_change import change_schema

SIGNING_ROLE = "oncehub_signing"
"""The login that signs the access log, see `store/migrations/`."""


def build_database_access(
    connection: Connection,
    agreements: Mapping[str, Agreement],
    encrypted: Collection[str],
    home: Path | None = None,
) -> list[str]:
    """Change entitlements to match the agreements, and restore rights; a second run changes nothing.

    It is one transaction: readers have the rights before it or after it. Rights that are not due are revoked,
    including those granted by hand.

    Args:
        connection: the hub's own.
        agreements: all, by name.
        encrypted: attributes that are encrypted, see `encrypted_attributes`.
        home: has the request key, which the database is to verify requests by.

    Returns:
        Names of the agreements whose entitlement changed, and rights that were restored.
    """

    def change(cursor: Cursor) -> list[str]:
        if home:
            put_request_key(cursor, home)
        return match_agreements(cursor, agreements, encrypted)

    return change_schema(connection, change)


def match_agreements(
    cursor: Cursor, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> list[str]:
    """Do as `build_database_access` in the transaction of a change of schema, see `change_schema`."""
    _close_to_public(cursor)
    settle_login(cursor)
    changed = match_entitlements(cursor, agreements, encrypted) + restore_rights(cursor)
    _drop_former_roles(cursor)
    return changed


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
        put_request_key(cursor, settings.home)
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
        cursor.execute("select agreement, digest from share.entitlement_digests()")
        standing = dict(cursor.fetchall())
    wanted = {name: entitlement(agreement, encrypted)["digest"] for name, agreement in agreements.items()}
    if differing := sorted({name for name, _ in standing.items() ^ wanted.items()}):
        raise StoreOutdated(
            f"the database's rights differ from the agreements ({differing[0]} first); "
            "run: oncehub agreements apply"
        )


def _drop_former_roles(cursor: Cursor) -> None:
    """Drop the roles that agreements had, once no hub on the server has given them a right."""
    cursor.execute(
        "select rolname from pg_roles where starts_with(rolname, 'oncehub_agreement_') order by rolname"
    )
    for (role,) in cursor.fetchall():
        cursor.execute("savepoint former_role")
        try:
            cursor.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))
        except (psycopg2.errors.DependentObjectsStillExist, psycopg2.errors.InsufficientPrivilege):
            # Another hub has yet to be upgraded, or made it: its upgrade drops the role.
            cursor.execute("rollback to savepoint former_role")
        else:
            cursor.execute("release savepoint former_role")


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
