"""The embedded PostgreSQL server: what the hub uses when no `ONCEHUB_DATABASE_URL` names another.

Each process that uses it holds a shared lock on `<folder>.users`. The system drops the lock of a process that
ends, however it ends; who can take the lock alone is the last, and stops the server.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import psycopg2
from psycopg2 import sql

from oncehub.errors import StoreUnavailable
from oncehub.store.data_folder import USER, DataFolder
from oncehub.store.failures import why_not_connected

DATABASE = "oncehub"

CREATE_DATABASE: Final = sql.SQL(
    "create database {} template template0 encoding 'UTF8' "
    "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C.UTF-8'"
)
"""The statement that creates each of the hub's databases.

Texts are compared byte by byte, so they sort by code point: an upgrade of the operating system cannot put an
index out of order, and such an index is cheaper to maintain than one that follows a language's rules.
"""
_LEAST_FREE_BYTES = 200 * 1024 * 1024

_TURN_SECONDS: Final = 330.0
"""How long another process may start or stop the server: longer than a start takes at most."""

_READY_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.05

Cleanup = Literal["stop", "delete"] | None

# The open lock files by process and folder: a forked child inherits them, but the server is not its to stop.
_used: dict[tuple[int, Path], int] = {}


def start_embedded(folder: Path, *, database: str = DATABASE, cleanup: Cleanup = "stop") -> str:
    """Start the server over `folder`, or join a running one, and return the URL of `database`.

    The folder and the database are created when they are absent. The server listens on a Unix socket only.
    After a crash its recovery is awaited.

    When the last process leaves, `cleanup` decides: `stop` stops the server, `delete` also deletes its data,
    None leaves it running until `stop_embedded`.

    Raises:
        StoreUnavailable: The server does not start, or the disk is nearly full; the message says what to do.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        free = shutil.disk_usage(folder.parent).free
        if free < _LEAST_FREE_BYTES:
            raise StoreUnavailable(
                f"{folder}: only {free // 2**20} MB left on the disk; free at least 200 MB"
            )
        data = DataFolder(folder)
        with _turn(folder):
            _run_server(data)
            _use(folder, cleanup)
            url = f"postgresql://{USER}:@/{{}}?host={data.socket_folder()}"
    except OSError as error:
        raise StoreUnavailable(f"{folder}: cannot hold the database: {error.strerror}") from None
    _ensure_database(url.format(USER), database)
    return url.format(database)


def stop_embedded(folder: Path) -> None:
    """Stop the server over `folder` at once, whichever process started it; do nothing when none runs.

    Raises:
        StoreUnavailable: processes of it do not end.
    """
    folder = folder.resolve()
    if folder.is_dir():
        with _turn(folder):
            DataFolder(folder).stop()


def _run_server(data: DataFolder) -> None:
    """Start the server unless it runs; wait for one that starts, recovers or stops."""
    if data.path.is_dir() and data.server() is not None:
        give_up = time.monotonic() + _READY_SECONDS
        while data.server() is not None and time.monotonic() < give_up:
            if data.is_ready():
                return
            time.sleep(_PAUSE_SECONDS)
        # It does not answer at its socket, which may have been deleted.
        data.stop()
    data.prepare()
    data.start()


def _use(folder: Path, cleanup: Cleanup) -> None:
    """Hold the lock of a user until the process ends."""
    key = (os.getpid(), folder)
    if key not in _used:
        handle = os.open(_beside(folder, "users"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _used[key] = handle
        atexit.register(_leave, key, cleanup)


def _leave(key: tuple[int, Path], cleanup: Cleanup) -> None:
    """Release the lock of a user; the last stops the server."""
    pid, folder = key
    if pid != os.getpid():
        return
    handle = _used.pop(key)
    try:
        if cleanup is not None and folder.parent.is_dir():
            with _turn(folder):
                if _locked_alone(handle):
                    if folder.is_dir():
                        DataFolder(folder).stop()
                    if cleanup == "delete":
                        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Start and stop the server one process at a time.

    Raises:
        StoreUnavailable: another process holds the lock too long.
    """
    handle = os.open(_beside(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + _TURN_SECONDS
        while not _locked_alone(handle):
            if time.monotonic() > give_up:
                raise StoreUnavailable(
                    f"{folder}: another process has been starting or stopping the embedded PostgreSQL for "
                    f"{_TURN_SECONDS:.0f} seconds; wait for it or end it, then run this again"
                )
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(handle)


def _locked_alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _beside(folder: Path, kind: str) -> Path:
    """Return the path of a lock file: a data folder is made in one step, so it cannot hold locks itself."""
    return folder.with_name(f"{folder.name}.{kind}")


def _ensure_database(url: str, database: str) -> None:
    """Create the database if it is absent.

    Raises:
        StoreUnavailable: the server ended meanwhile, has no free connection or no space.
    """
    try:
        connection = psycopg2.connect(url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                # Of processes that start at once, one creates it. The lock ends with the connection.
                cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"create {database}",))
                cursor.execute("select 1 from pg_database where datname = %s", (database,))
                if cursor.fetchone() is None:
                    cursor.execute(CREATE_DATABASE.format(sql.Identifier(database)))
        finally:
            connection.close()
    except psycopg2.OperationalError as error:
        raise StoreUnavailable(
            f"the embedded PostgreSQL does not answer ({why_not_connected(error)}); run this again"
        ) from None
