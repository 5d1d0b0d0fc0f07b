"""Reads on behalf of an agreement: by a request that is open in the database, or with the owner's rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.config.agreements import Agreement
from oncehub.store.connection import Connection
from oncehub.store.overlong import API_ROLE

__all__ = ["API_ROLE", "ENTITLED", "rows_as", "schemas_for"]

ENTITLED = "entitled"
"""The schema of what a request that is open may read and write; see `store/routines/entitled/`."""

_ORIGINALS: Final = ("audit", "share", "truth")


def schemas_for(agreement: Agreement | None) -> dict[str, sql.Identifier]:
    """Return what `{audit}`, `{share}` and `{truth}` in a statement stand for.

    On behalf of an agreement that is `ENTITLED`, where what a request is entitled to has the names of the
    originals; without an agreement it is theirs, for the hub's own login.
    """
    return {name: sql.Identifier(ENTITLED if agreement else name) for name in _ORIGINALS}


def rows_as(
    connection: Connection, agreement: Agreement | None, statement: str, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows that a statement gives, in its order.

    Args:
        connection: in a transaction; on behalf of an agreement, one in which a request under it is open.
        agreement: on whose behalf is read; None reads with the connection's own rights.
        statement: one `select` of the schemas that `schemas_for` names.
        values: of its placeholders.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(sql.SQL(statement).format(**schemas_for(agreement)), values)
        return [dict(row) for row in cursor.fetchall()]
