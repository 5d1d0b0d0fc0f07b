"""Finding records by a sealed value, which the database tells from others by its blind index only."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.model.entities import Entity
from oncehub.model.errors import ConfigError
from oncehub.store.connection import Connection
from oncehub.store.encryption import Ciphers
from oncehub.store.sealed_values import Record, blind_indexes

_FIND: Final = sql.SQL("""
select source, stream, source_key
from {table}
where split_part({attribute}, ':', 3) = any (%s) and {attribute} is not null and deleted_at is null
order by source, stream, source_key
""")


def find_records(
    connection: Connection, ciphers: Ciphers, entity: Entity, attribute: str, value: str
) -> list[Record]:
    """Return the living records that state a value, but for case, spaces and punctuation.

    Args:
        connection: one that may read `record`.
        ciphers: under whose keys values are looked for.
        entity: whose records.
        attribute: one of its sensitive attributes, with a blind index.
        value: in clear; the database is not told it.

    Raises:
        ConfigError: when the attribute has no blind index.
    """
    if not entity.attributes[attribute].indexed:
        raise ConfigError(
            f"{entity.name}.{attribute} has no blind index (x-blind-index in schemas/canonical/"
            f"{entity.name}.json), so nothing can be found by it"
        )
    statement = _FIND.format(table=sql.Identifier("record", entity.name), attribute=sql.Identifier(attribute))
    with connection.cursor() as cursor:
        cursor.execute(statement, (blind_indexes(ciphers, f"{entity.name}.{attribute}", value),))
        return cursor.fetchall()
