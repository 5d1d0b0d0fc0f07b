"""A PostgreSQL server for measurements: its databases, processor time and slow statements."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg2
from psycopg2 import sql

from oncehub.store.history import continue_history
from oncehub.store.server import CREATE_DATABASE, start_embedded, stop_embedded

SETTINGS: Final = (
    *("server_version", "shared_buffers", "work_mem", "maintenance_work_mem", "effective_cache_size"),
    *("max_wal_size", "fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit"),
    *("max_parallel_workers_per_gather",),
)

# Like autovacuum: not the empty tables, which the planner would learn to take for empty, and not partitioned
# ones as a whole.
_HOLDING: Final = """
select c.oid::regclass::text
from pg_class c join pg_namespace n on n.oid = relnamespace
where nspname in ('intake', 'record', 'truth', 'share', 'audit') and relkind = 'r'
    and pg_relation_size(c.oid) > 0
order by 1
"""

_READ_ALL: Final = """
select sum(pg_prewarm(c.oid::regclass, 'read'))
from pg_class c join pg_namespace n on n.oid = relnamespace
where nspname in ('truth', 'share', 'audit') and relkind in ('r', 'i', 't')
"""

_TICK: Final = os.sysconf("SC_CLK_TCK")
_STATEMENT: Final = re.compile(r"LOG:  duration: ([0-9.]+) ms  statement: (.*(?:\n\t.*)*)")


@dataclass(frozen=True)
class Statement:
    """One execution of a statement: seconds, and its text."""

    seconds: float
    text: str

    @property
    def beginning(self) -> str:
        """The first words, without comments."""
        return " ".join(re.sub(r"--.*", "", self.text).split())[:200]


class Server:
    """The embedded server over a folder, with its default settings."""

    def __init__(self, folder: Path) -> None:
        """Start the server, or use the one that runs; it stays up until `stop`."""
        self.folder = folder
        self._url = start_embedded(folder, cleanup=None)

    def stop(self) -> None:
        """Stop the server and keep its data."""
        stop_embedded(self.folder)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        head, _, query = self._url.partition("?")
        return f"{head.rpartition('/')[0]}/{database}?{query}"

    def has(self, database: str) -> bool:
        """Return whether a database exists."""
        return bool(self._asked("select count(*) from pg_database where datname = %s", database))

    def create(self, database: str, *, template: str | None = None) -> None:
        """Create a database, replacing one of that name: empty, or a copy of a template."""
        self.drop(database)
        if template is None:
            self._administer(CREATE_DATABASE.string, database)
        else:
            # Copying files costs a large database two checkpoints; logging every page costs far more.
            self._administer("create database {} template {} strategy file_copy", database, template)
            with closing(psycopg2.connect(self.url(database))) as copy, copy, copy.cursor() as cursor:
                cursor.execute("select to_regclass('hub.history') is not null")
                if cursor.fetchone() == (True,):
                    continue_history(cursor, "benchmarks", "a copy to measure")

    def rename(self, database: str, name: str) -> None:
        """Rename a database that has no connections."""
        self._administer("alter database {} rename to {}", database, name)

    def drop(self, database: str) -> None:
        """Remove a database if it exists."""
        self._administer("drop database if exists {} with (force)", database)

    def settle(self, database: str) -> None:
        """Vacuum and analyse now, instead of waiting for autovacuum, and write everything to disk."""
        with _committing(self.url(database)) as cursor:
            cursor.execute(_HOLDING)
            for (table,) in cursor.fetchall():
                cursor.execute(sql.SQL("vacuum (analyze) ") + sql.SQL(table))
            cursor.execute("checkpoint")

    def warm(self, database: str) -> None:
        """Read all tables and indexes once, so that they are in memory as in a server in use."""
        with _committing(self.url(database)) as cursor:
            cursor.execute("create extension if not exists pg_prewarm")
            cursor.execute(_READ_ALL)

    def settings(self) -> dict[str, str]:
        """Return the settings that affect speed."""
        return {name: self._asked("select current_setting(%s)", name) for name in SETTINGS}

    def processor_seconds(self) -> float:
        """Return the processor time of all the server's processes, ended or running."""
        return processor_seconds_of(int((self.folder / "postmaster.pid").read_text().split("\n", 1)[0]))

    @contextmanager
    def logging_statements(self, database: str, at_least_ms: int) -> Iterator[list[Statement]]:
        """Collect new connections' statements that take `at_least_ms` or more, the slowest first."""
        log, taken = self.folder / "log", list[Statement]()
        self._administer(f"alter database {{}} set log_min_duration_statement = {at_least_ms:d}", database)
        begun = log.stat().st_size
        try:
            yield taken
        finally:
            self._administer("alter database {} reset log_min_duration_statement", database)
            with log.open("rb") as file:
                file.seek(begun)
                text = file.read().decode(errors="replace")
            found = (Statement(float(each[1]) / 1000, each[2]) for each in _STATEMENT.finditer(text))
            taken += sorted(found, key=lambda statement: -statement.seconds)

    def _administer(self, statement: str, *names: str) -> None:
        with _committing(self.url("postgres")) as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _asked(self, query: str, *values: str) -> Any:
        with _committing(self.url("postgres")) as cursor:
            cursor.execute(query, values)
            return (cursor.fetchone() or (None,))[0]


def processor_seconds_of(process: int) -> float:
    """Return the processor time of a process, its children, and the ended children it has waited for."""
    return sum(_times(pid) for pid in (process, *_children(process)))


@contextmanager
def server_in(given: Path | None) -> Iterator[tuple[Server, Path]]:
    """Yield a server and its folder: the given folder, or a temporary one."""
    if given is None:
        with temporary_server() as made:
            yield made
        return
    server = Server(given.absolute() / "postgres")
    try:
        yield server, given.absolute()
    finally:
        server.stop()


@contextmanager
def temporary_server() -> Iterator[tuple[Server, Path]]:
    """Yield a server and its temporary folder; remove both at the end."""
    with tempfile.TemporaryDirectory(prefix="oncehub-bench-") as folder:
        server = Server(Path(folder) / "postgres")
        try:
            yield server, Path(folder)
        finally:
            server.stop()


@contextmanager
def _committing(url: str) -> Iterator[psycopg2.extensions.cursor]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def _children(parent: int) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))) and int(fields[1]) == parent:
            yield int(folder.name)


def _times(pid: int) -> float:
    """Return seconds of a process and of the children it has waited for."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICK if fields else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) from the state on; none when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
