"""Reading as an agreement's role: the database gives what the agreement covers, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_INERROR
from psycopg2.extras import RealDictCursor

from oncehub.model.sharing import Agreement
from oncehub.store.connection import Connection

API_ROLE = "oncehub_api"
"""What the API logs in as: it may become the role of an agreement, and by itself reads nobody."""

SCHEMA_PREFIX, ROLE_PREFIX = "agreement_", "oncehub_agreement_"


def role_of(agreement: str) -> str:
    """Return the name of an agreement's role; hubs whose databases share a server share it."""
    return ROLE_PREFIX + agreement


def schema_of(agreement: str) -> str:
    """Return the name of an agreement's schema."""
    return SCHEMA_PREFIX + agreement


@contextmanager
def as_agreement(connection: Connection, agreement: Agreement) -> Iterator[RealDictCursor]:
    """Give a cursor that reads with the rights of the agreement's role, and nothing else meanwhile.

    Args:
        connection: in a transaction, one that may become that role.
        agreement: on whose behalf is read.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role_of(agreement.name))))
        try:
            yield cursor
        finally:
            # A transaction that failed goes back to its login by itself.
            if connection.info.transaction_status != TRANSACTION_STATUS_INERROR:
                cursor.execute("reset role")
