"""Finding records by a sealed value, which the database tells from others by its blind index only."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.config.entities import load_entities
from oncehub.encryption.cipher import load_ciphers
from oncehub.encryption.field_values import Record, blind_indexes
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.connection import Connection

_FIND: Final = sql.SQL("""
select source, stream, source_key
from {table}
where split_part({attribute}, ':', 3) = any (%s) and {attribute} is not null and deleted_at is null
order by source, stream, source_key
""")


def find_records(settings: Settings, connection: Connection, attribute: str, value: str) -> list[Record]:
    """Return the living records that state a value, but for case, spaces and punctuation.

    Args:
        settings: name the canonical schemas, and the keys under which values are looked for.
        connection: one that may read `record`.
        attribute: the qualified name of a sensitive attribute that has a blind index.
        value: in clear; the database is not told it.

    Raises:
        ConfigError: when there is no such attribute.
    """
    indexed = {
        f"{entity.name}.{name}": (entity.name, name)
        for entity in load_entities(settings.schemas).values()
        for name, each in entity.attributes.items()
        if each.indexed
    }
    if attribute not in indexed:
        raise ConfigError(
            f"{attribute} has no blind index (x-blind-index in its schema), so nothing is found by it; "
            f"there are: {', '.join(indexed)}"
        )
    table, column = indexed[attribute]
    statement = _FIND.format(table=sql.Identifier("record", table), attribute=sql.Identifier(column))
    with connection.cursor() as cursor:
        cursor.execute(statement, (blind_indexes(load_ciphers(settings.home), attribute, value),))
        return cursor.fetchall()
