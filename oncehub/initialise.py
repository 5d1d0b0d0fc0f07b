"""Sets up the hub's database: tables, routines, partitions of each source, administrative units."""

from __future__ import annotations

from oncehub.config.catalogue import load_connectors
from oncehub.intake.landing.partitions import attach_sources
from oncehub.reconcile.linking.units import load_units
from oncehub.settings import Settings
from oncehub.store.connection import connect, database_url
from oncehub.store.migrate import migrate


def initialise(settings: Settings) -> list[str]:
    """Migrate the hub's database, create each source's partitions, load the administrative units; repeatable.

    Returns:
        The paths of the SQL files applied.

    Raises:
        StoreUnavailable: The database does not answer.
        ConfigError: A file was changed after it was applied, or a connector or list of units is wrong.
    """
    sources = list(load_connectors(settings))
    connection = connect(database_url(settings))
    try:
        applied = migrate(connection)
        attach_sources(connection, sources)
        load_units(connection, settings.mappings)
    finally:
        connection.close()
    return applied
