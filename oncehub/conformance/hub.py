"""The database into which the conformance suite reads streams, and the comparison of its contents."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import psycopg2
from psycopg2 import sql

from oncehub.config.connection import Connection as SourceConnection
from oncehub.config.connector import Connector
from oncehub.config.entities import Entity, load_entities
from oncehub.initialise import initialise
from oncehub.intake.micro_batches import Size
from oncehub.intake.runs.run import RunReport
from oncehub.intake.stream_sync import Listener
from oncehub.intake.sync import Opener, sync
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from oncehub.store.server import start_embedded, stop_embedded

# The data need not survive a power cut.
_QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")

_NOWHERE = SourceConnection(host="https://source.invalid")

# Runs come last, because other tables reference them. Deleting few rows is faster than truncating dozens of
# partitions.
_TABLES = """
select nspname, relname
from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where nspname in ('intake', 'record') and relkind in ('r', 'p') and not relispartition
order by (nspname, relname) = ('intake', 'run')
"""

_STATES = """
select source_key, stated_at, deletion is null from intake.record_state
where source = %(source)s and stream = %(stream)s
"""

_ASIDE = """
select source_key from intake.rejected
where source = %(source)s and stream = %(stream)s and source_key is not null and resolved_at is null
"""

_MESSAGES = """
select error from intake.run where error is not null
union all select reason || ' ' || path from intake.rejected
union all select path || ' ' || found from intake.drift
"""


@dataclass(frozen=True)
class RecordState:
    """The time of a record's latest statement, and whether the record is not deleted."""

    stated_at: datetime
    lives: bool


@dataclass(frozen=True)
class Contents:
    """The contents of a hub for one stream.

    Attributes:
        rows: digests of the rows that are not deleted, by source key.
        states: latest statements, by source key.
        aside: keys of rejected records.
    """

    rows: Mapping[str, frozenset[str]]
    states: Mapping[str, RecordState]
    aside: frozenset[str] = frozenset()

    def unlike(self, other: Contents) -> set[str]:
        """Return keys that `other` lacks or has with other rows, except with a newer statement there."""
        differing = {key for key, rows in self.rows.items() if other.rows.get(key) != rows}
        return {key for key in differing if not self._moved_on(key, other)}

    def _moved_on(self, key: str, other: Contents) -> bool:
        now = other.states.get(key)
        return now is not None and now.stated_at > self.states[key].stated_at


class Hub:
    """A migrated database that only the suite uses."""

    def __init__(self, settings: Settings) -> None:
        """Connect.

        Args:
            settings: root of the files under test; home and database are the suite's.

        Raises:
            StoreError: when the database cannot be used.
        """
        assert settings.database_url is not None
        self.settings = settings
        self._entities = load_entities(settings.schemas)
        self._store = connect(settings.database_url)
        self._said: set[str] = set()

    @property
    def store(self) -> Connection:
        """The connection, outside any transaction."""
        return self._store

    def close(self) -> None:
        """Disconnect."""
        self._store.close()

    def empty(self) -> None:
        """Delete everything that was read."""
        self._said.update(self._current_messages())
        with self._store, self._store.cursor() as cursor:
            cursor.execute(_TABLES)
            for table in cursor.fetchall():
                cursor.execute(sql.SQL("delete from {}").format(sql.Identifier(*table)))
            # Nothing is encrypted any more, and the next run may have keys of its own.
            cursor.execute("delete from hub.key")

    def read(
        self,
        connector: Connector,
        stream: str,
        opener: Opener,
        *,
        now: datetime,
        full: bool = False,
        listener: Listener | None = None,
    ) -> RunReport:
        """Read a stream as `oncehub sync` does, and return how its last run went.

        Raises:
            OncehubError: see `oncehub.intake.sync`.
        """
        *_, last = sync(
            self.settings,
            connector,
            _NOWHERE,
            streams=[stream],
            full=full,
            report=listener,
            database=self._store,
            clock=lambda: now,
            opener=opener,
            size=Size(pages=1),
        )
        return last

    def contents(self, source: str, stream: str) -> Contents:
        """Return the contents of a stream."""
        names = {"source": source, "stream": stream}
        rows: dict[str, set[str]] = {}
        for entity in self._entities.values():
            for key, digest in self._all(_rows_of(entity), names):
                rows.setdefault(key, set()).add(digest)
        states = {key: RecordState(stated_at, lives) for key, stated_at, lives in self._all(_STATES, names)}
        aside = frozenset(key for (key,) in self._all(_ASIDE, names))
        return Contents({key: frozenset(digests) for key, digests in rows.items()}, states, aside)

    def refused(self) -> int:
        """Return the number of records rejected by their contract."""
        [(count,)] = self._all("select count(*) from intake.rejected where stage = 'contract'", {})
        return int(count)

    def messages(self) -> set[str]:
        """Return all messages that landing has written to the database."""
        return self._said | self._current_messages()

    def _current_messages(self) -> set[str]:
        return {text for (text,) in self._all(_MESSAGES, {})}

    def _all(self, statement: str | sql.Composed, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._store, self._store.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()


@contextmanager
def throwaway_hubs(settings: Settings, count: int) -> Iterator[list[Hub]]:
    """Yield hubs over the files of `settings` in databases that are removed at the end, even on interruption.

    Raises:
        StoreUnavailable: when the embedded server does not start.
    """
    # Not below `home`: the server runs as another user where this one is root, and must reach its folder.
    folder = Path(tempfile.mkdtemp(prefix="oncehub-conformance-"))
    server = folder / "postgres"
    hubs: list[Hub] = []
    try:
        for number in range(count):
            url = start_embedded(server, database=f"hub{number}", cleanup="delete")
            if not hubs:
                _disable_durability(url)
            own = replace(settings, home=folder / "home", database_url=url)
            initialise(own, agreements={}, make_keys=True)
            hubs.append(Hub(own))
        yield hubs
    finally:
        for hub in hubs:
            hub.close()
        stop_embedded(server)
        rmtree(folder, ignore_errors=True)


def _disable_durability(url: str) -> None:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting in _QUICK:
                cursor.execute(f"alter system set {setting}")
            cursor.execute("select pg_reload_conf()")
    finally:
        connection.close()


def _rows_of(entity: Entity) -> sql.Composed:
    return sql.SQL(
        "select source_key, {name} || md5((to_jsonb(row) - 'received_at')::text) from {table} as row "
        "where source = %(source)s and stream = %(stream)s and deleted_at is null"
    ).format(name=sql.Literal(entity.name), table=sql.Identifier("record", entity.name))
