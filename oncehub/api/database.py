"""The API's database connections: a bounded pool that logs in with the rights of the role `oncehub_api`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, make_dsn
from psycopg2.pool import ThreadedConnectionPool

from oncehub.errors import StoreError, StoreOutdated, StoreUnavailable
from oncehub.settings import Settings
from oncehub.share.roles import API_ROLE
from oncehub.store.connection import Connection, database_url, parts_of_url
from oncehub.store.failures import describe, is_out_of_step, may_pass, why_not_connected
from oncehub.store.history import require_own
from oncehub.store.schema_change import READ
from oncehub.traces import span

# Queries in functions are planned once a session: planning a look-up costs as much as executing it.
_OPTIONS = (
    "-c timezone=UTC -c client_min_messages=warning -c statement_timeout=10s "
    "-c plan_cache_mode=force_generic_plan "
    # A process that is stopped in a transaction does not keep its locks.
    "-c idle_in_transaction_session_timeout=15s"
)
# Of a server that is no longer reached, TCP alone would wait for a quarter of an hour.
_REACHED = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
_WAIT_SECONDS = 5.0


def api_login(settings: Settings) -> str:
    """Return the API's connection string; its role bounds what any SQL of a session can read.

    Raises:
        ConfigError: when a URL is not valid.
        StoreUnavailable: when the embedded server does not start.
    """
    if settings.api_database_url:
        return str(make_dsn(**parts_of_url(settings.api_database_url, "ONCEHUB_API_DATABASE_URL")))
    login = parts_of_url(database_url(settings))
    # The password, where there is one, is the owner's.
    return str(
        make_dsn(**{name: part for name, part in login.items() if name != "password"} | {"user": API_ROLE})
    )


@dataclass(frozen=True)
class Question:
    """A statement that returns at most one row, and its values."""

    statement: str
    values: Mapping[str, Any]


_NOTHING = Question("", {})


class Database:
    """Transactions on pooled connections.

    Args:
        url: of the API's login.
        size: how many connections there are.
        in_use: called with 1 when a connection is taken, and with -1 when it is given back.

    Raises:
        StoreUnavailable: when the server does not answer at the start.
    """

    def __init__(self, url: str, size: int = 8, in_use: Callable[[int], None] = lambda _: None) -> None:
        self.size = size
        self._in_use = in_use
        self._free = threading.BoundedSemaphore(size)
        try:
            # Equal bounds: the pool closes connections above the lower bound.
            self._pool = ThreadedConnectionPool(
                size, size, url, options=_OPTIONS, application_name="oncehub api", **_REACHED
            )
        except psycopg2.OperationalError as error:
            raise StoreUnavailable(
                f"the hub's database does not answer to the API ({why_not_connected(error)}); it logs in as "
                f"{API_ROLE}, without password, or as ONCEHUB_API_DATABASE_URL says"
            ) from None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, committed at the end, rolled back on an error.

        Raises:
            StoreUnavailable: when the server does not answer, or no connection is free in time.
            StoreNotAdopted: when the database was restored, copied or failed over.
            StoreOutdated: when the database lacks what a statement needs.
        """
        with self.begun_by(_NOTHING) as (connection, _):
            yield connection

    @contextmanager
    def begun_by(self, question: Question) -> Iterator[tuple[Connection, tuple[Any, ...] | None]]:
        """Do as `transaction`, and read one row in the message that begins it; yield that row, too.

        Committing in the message of the last statement saves a round trip.

        Raises:
            StoreError: as `transaction`.
        """
        if not self._free.acquire(timeout=_WAIT_SECONDS):
            raise StoreUnavailable("the hub is too busy to answer now")
        self._in_use(1)
        try:
            connection, row = self._begun(question)
            out_of_step = False
            try:
                with _ended(connection), span("database transaction", kind="client"):
                    yield connection, row
            except psycopg2.Error as error:
                out_of_step = is_out_of_step(error)
                raise
            finally:
                self._pool.putconn(connection, close=out_of_step)
        except psycopg2.Error as error:
            if not is_out_of_step(error):
                raise
            raise StoreOutdated(
                f"{describe(error)}: it is being changed, or lacks what this version needs; if that lasts, "
                "run `oncehub init`"
            ) from None
        finally:
            self._in_use(-1)
            self._free.release()

    @staticmethod
    def apart(connection: Connection, question: Question) -> tuple[Any, ...]:
        """Read one row in a transaction of its own, between the one that is open and a new one.

        The server ends this transaction itself, whatever becomes of this process: its locks are short.

        Args:
            connection: in a transaction, which is committed.
            question: its statement must return a row.
        """
        with connection.cursor() as cursor:
            cursor.execute(f"commit; {READ}; {question.statement}", question.values)
            row: tuple[Any, ...] = cursor.fetchone() or ()
            cursor.execute(f"begin; {READ}")
        return row

    def close(self) -> None:
        """Close all connections."""
        if not self._pool.closed:
            self._pool.closeall()

    def _begun(self, question: Question) -> tuple[Connection, tuple[Any, ...] | None]:
        """Return a connection in a transaction; drop those that a restart of the server broke."""
        for _ in range(self.size + 1):
            try:
                connection: Connection = self._pool.getconn()
            except psycopg2.OperationalError:
                raise StoreUnavailable("the hub's database does not answer now") from None
            try:
                return connection, _begin(connection, question)
            except (psycopg2.Error, StoreError) as error:
                lost = connection.closed or (
                    isinstance(error, psycopg2.Error) and error.pgcode is None and may_pass(error)
                )
                self._pool.putconn(connection, close=True)
                if not lost or isinstance(error, StoreError):
                    raise
        raise StoreUnavailable("the hub's database does not answer now")


def _begin(connection: Connection, question: Question) -> tuple[Any, ...] | None:
    """Begin the transaction explicitly, so that the first statement shows whether the server answers.

    The first transaction of a connection looks whether the database is the hub's own still: a server that
    comes back may hold another state of it.
    """
    if not connection.autocommit:
        connection.autocommit = True
        require_own(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"begin; {READ}; {question.statement}", question.values)
        return cursor.fetchone()


@contextmanager
def _ended(connection: Connection) -> Iterator[None]:
    """Commit at the end, or roll back on an error and raise it."""
    try:
        yield
    except BaseException:
        if not connection.closed:
            _execute(connection, "rollback")
        raise
    if connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
        _execute(connection, "commit")


def _execute(connection: Connection, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
