"""The database's errors as the hub's own, without the values that the server's messages quote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from oncehub.model.errors import StoreError, StoreUnavailable


@contextmanager
def told_without_values(doing: str) -> Iterator[None]:
    """Give the hub's errors for psycopg2's; `doing` starts the message, e.g. `landing tax.registrations`.

    Raises:
        StoreUnavailable: when a retry may cure it: connection lost, disk full, deadlock, shutdown.
        StoreError: when the database refused what it was given.
    """
    try:
        yield
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        reason = (
            type(error).__name__ if error.__class__.__module__ == "psycopg2.errors" else "connection lost"
        )
        raise StoreUnavailable(f"{doing}: the hub's database failed ({reason}); try again") from None
    except psycopg2.Error as error:
        place = ".".join(filter(None, (error.diag.table_name, error.diag.column_name)))
        reason = f"{type(error).__name__} in {place}" if place else type(error).__name__
        raise StoreError(f"{doing}: the hub's database refused it ({reason})") from None
