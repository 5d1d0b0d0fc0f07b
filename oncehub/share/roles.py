"""Runs statements as an agreement's role, to which the database gives only what the agreement covers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_INERROR
from psycopg2.extras import RealDictCursor

from oncehub.config.agreements import Agreement
from oncehub.store.connection import Connection

API_ROLE = "oncehub_api"
"""The API's login: it may become the role of an agreement; by itself it reads no person."""

SCHEMA_PREFIX, ROLE_PREFIX = "agreement_", "oncehub_agreement_"

_ORIGINALS: Final = ("audit", "share", "truth")

# One message to the server and back. Rights are looked at as the statement begins; there is always a row, and
# when it is there the role is left.
_AT_ONCE: Final = sql.SQL("""
set local role {role};
select answer.*, set_config('role', 'none', true) as left_to
from (select) as always
left join lateral (select true as answered, asked.* from ({statement}) as asked) as answer on true
""")


def role_of(agreement: str) -> str:
    """Return the name of an agreement's role; hubs with databases on one server share it."""
    return ROLE_PREFIX + agreement


def schema_of(agreement: str) -> str:
    """Return the name of an agreement's schema."""
    return SCHEMA_PREFIX + agreement


def schemas_for(agreement: Agreement | None) -> dict[str, sql.Identifier]:
    """Return what `{audit}`, `{share}` and `{truth}` in a statement stand for.

    That is the agreement's schema, where what it is entitled to has the names of the originals; without an
    agreement it is theirs, for the hub's own login.
    """
    return {name: sql.Identifier(schema_of(agreement.name) if agreement else name) for name in _ORIGINALS}


def rows_as(
    connection: Connection, agreement: Agreement | None, statement: str, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows that a statement gives the agreement's role, in the statement's order.

    Args:
        connection: in a transaction; one that may become that role.
        agreement: on whose behalf is read; None reads with the connection's own rights.
        statement: one `select` of the schemas that `schemas_for` names.
        values: of its placeholders.
    """
    asked = sql.SQL(statement).format(**schemas_for(agreement))
    if agreement:
        asked = _AT_ONCE.format(role=sql.Identifier(role_of(agreement.name)), statement=asked)
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(asked, values)
        rows = [dict(row) for row in cursor.fetchall()]
    return [row for row in rows if row.pop("left_to", True) and row.pop("answered", True)]


@contextmanager
def as_agreement(connection: Connection, agreement: Agreement | None) -> Iterator[RealDictCursor]:
    """Give a cursor with the rights of the agreement's role; the whole connection has them meanwhile.

    Args:
        connection: in a transaction, one that may become that role.
        agreement: on whose behalf is read or written; None leaves the connection its own rights.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        if agreement is None:
            yield cursor
            return
        cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role_of(agreement.name))))
        try:
            yield cursor
        finally:
            # A transaction that failed goes back to its login by itself.
            if connection.info.transaction_status != TRANSACTION_STATUS_INERROR:
                cursor.execute("reset role")
