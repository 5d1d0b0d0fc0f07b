"""Sets up the hub's database: tables, routines, partitions of sources, units, rights of agreements."""

from __future__ import annotations

from collections.abc import Mapping

from oncehub.audit.log.pseudonyms import retired_pseudonym_keys
from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_connectors
from oncehub.encryption.known_keys import note_keys
from oncehub.intake.landing.partitions import create_partitions
from oncehub.reconcile.linking.units import load_units
from oncehub.settings import Settings
from oncehub.share.access.database_access import admit_logins, encrypted_attributes, match_agreements
from oncehub.share.access.rights import require_rights
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.request_proofs import put_request_key
from oncehub.store.connection import Cursor, connect, database_url
from oncehub.store.history import begin_history, require_own
from oncehub.store.migrate import migrate


def initialise(
    settings: Settings, agreements: Mapping[str, Agreement] | None = None, *, make_keys: bool = False
) -> list[str]:
    """Bring the hub's database to the form of this version and to its configuration; repeatable.

    Everything is one transaction, except backfills that precede it: killed at any instant, it leaves the
    database as it was, and look-ups meanwhile see the database before it or after it.

    Args:
        settings: the hub's.
        agreements: in place of those in `mappings/agreements/`.
        make_keys: that are missing, in a new hub's `home`; always done beside the embedded server. Another
            server outlives what stands beside this process, such as a container.

    Returns:
        The paths of the SQL files applied.

    Raises:
        StoreUnavailable: The database does not answer, or others hold a lock too long.
        StoreNotAdopted: It has the form of this version now, but was restored, copied or failed over.
        KeyMissing: A key is not given, or is another one than the hub has used.
        ConfigError: A file was changed after it was applied, or a connector, an agreement, a key or the list
            of units is wrong.
    """
    sources = list(load_connectors(settings))
    entitled = load_agreements(settings) if agreements is None else agreements
    encrypted = encrypted_attributes(settings)

    def complete(cursor: Cursor) -> None:
        begin_history(cursor)
        make = make_keys or settings.database_url is None
        note_keys(cursor, settings.home, make=make, former=retired_pseudonym_keys())
        create_partitions(cursor, sources)
        load_units(cursor, settings.mappings)
        admit_logins(cursor, settings)
        put_request_key(cursor, settings.home)
        match_agreements(cursor, entitled, encrypted)

    connection = connect(database_url(settings))
    try:
        applied = migrate(connection, completed_by=complete)
        with connection:
            require_own(connection)
        require_rights(connection)
        return applied
    finally:
        connection.close()
