"""Connections to the hub's database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 names its classes in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extensions import parse_dsn

from oncehub.errors import ConfigError, StoreUnavailable
from oncehub.settings import Settings
from oncehub.store.failures import why_not_connected
from oncehub.store.server import start_embedded

__all__ = ["Connection", "Cursor", "connect", "database_url", "locked", "parts_of_url"]

# A server that is gone without a word is noticed in half a minute, instead of a quarter of an hour.
_REACHED: Any = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

# temp_buffers can only be set before a session uses temporary tables.
_SESSION = "-c timezone=UTC -c client_min_messages=warning -c temp_buffers=512MB"


def database_url(settings: Settings) -> str:
    """Return the URL of the hub's database, starting the embedded server when no other is set.

    Raises:
        ConfigError: No URL is set, and `ONCEHUB_EMBEDDED` is off.
        StoreUnavailable: The embedded server does not start.
    """
    if settings.database_url:
        return settings.database_url
    if not settings.embedded:
        raise ConfigError(
            "ONCEHUB_DATABASE_URL is not set here, and ONCEHUB_EMBEDDED=off forbids a server of its own; "
            "run the command where it is set, in containers: docker compose run --rm shell"
        )
    return start_embedded(settings.home / "postgres")


def parts_of_url(url: str, variable: str = "ONCEHUB_DATABASE_URL") -> dict[str, str]:
    """Return the parts of a libpq URL: `user`, `password`, `host`, `port`, `dbname` and others that it has.

    Raises:
        ConfigError: It is not valid; the message names `variable` and quotes nothing.
    """
    try:
        parts: dict[str, str] = parse_dsn(url)
    except psycopg2.ProgrammingError:
        parts = {"host": "@"}
    # Behind a special character of the password, libpq takes the rest of it for the host or the database.
    if any("@" in parts.get(name, "") for name in ("host", "port", "dbname")):
        raise ConfigError(
            f"{variable} is not a libpq URL; write postgresql://user:password@host/database, with special "
            "characters of the password percent-encoded: %2F for /, %40 for @, %25 for %"
        )
    return parts


def connect(url: str, *, role: str | None = None) -> Connection:
    """Open a connection in UTC; with `role` every statement runs with that role's rights only.

    Raises:
        ConfigError: The URL is not valid.
        StoreUnavailable: The server does not answer; the message contains no credentials.
    """
    parts_of_url(url)
    options = _SESSION + (f" -c role={role}" if role else "")
    try:
        opened: Connection = psycopg2.connect(url, options=options, application_name="oncehub", **_REACHED)
    except psycopg2.OperationalError as error:
        raise StoreUnavailable(
            f"the hub's database does not answer ({why_not_connected(error)}); "
            "check ONCEHUB_DATABASE_URL and the server"
        ) from None
    return opened


@contextmanager
def locked(connection: Connection, name: str) -> Iterator[bool]:
    """Hold the session's advisory lock `name`; give False, without waiting, when another session holds it.

    The lock ends with its session, so a killed process does not leave it behind.
    """
    got = bool(_scalar(connection, "select pg_try_advisory_lock(hashtextextended(%s, 0))", name))
    try:
        yield got
    finally:
        if got and not connection.closed:
            connection.rollback()
            _scalar(connection, "select pg_advisory_unlock(hashtextextended(%s, 0))", name)


def _scalar(connection: Connection, statement: str, *values: Any) -> Any:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row else None
