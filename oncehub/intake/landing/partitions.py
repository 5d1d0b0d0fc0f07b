"""Creates the partitions of the record tables, one a source, by `store/routines/record/attach_source.sql`."""

from __future__ import annotations

from collections.abc import Collection

from oncehub.store.connection import Connection, Cursor
from oncehub.store.failures import without_values


def attach_sources(connection: Connection, sources: Collection[str]) -> None:
    """Create the partitions that the sources lack, in a transaction of its own; repeatable.

    Raises:
        StoreError: The database does not create them.
    """
    with without_values(f"preparing {', '.join(sources)}"), connection, connection.cursor() as cursor:
        create_partitions(cursor, sources)


def create_partitions(cursor: Cursor, sources: Collection[str]) -> None:
    """Create the partitions that the sources lack, in the cursor's transaction; repeatable."""
    cursor.execute("select record.attach_source(source) from unnest(%s) as source", (list(sources),))
