"""Opens the database of a source for reading only; SQLAlchemy speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.errors import AuthenticationError, ConfigError, ContractBroken, SourceUnavailable
from oncehub.extras import needs_extra

if TYPE_CHECKING:
    import sqlalchemy as sa

_DRIVERS = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
"""The driver of each kind of database, where SQLAlchemy's own choice is not what an extra installs."""

# What a session is told first. Beside it, the login should have the right to read only.
_READ_ONLY = {
    "postgresql": "set default_transaction_read_only = on",
    "mysql": "set session transaction read only",
    "mariadb": "set session transaction read only",
    "sqlite": "pragma query_only = on",
}
_SEES_ONE_STATE = {"postgresql", "mysql", "mariadb"}
_TIMES_OUT = {"postgresql", "mysql", "mariadb"}
_REFUSED = ("authentication failed", "access denied", "no password", 'role "', "login failed", "ora-01017")


class Database:
    """The database of one source; connections are opened for one read each."""

    def __init__(self, connection: Connection, limits: Limits, source: str) -> None:
        """Read the connection's address; nothing is sent yet.

        Raises:
            ConfigError: when it is no address of a database.
            ExtraMissing: when the packages of the extra `sql` are not installed.
        """
        with needs_extra("sql"):
            import sqlalchemy as sa  # noqa: PLC0415 - an extra
        self._source = source
        try:
            url = sa.make_url(connection.host)
        except sa.exc.ArgumentError:
            raise ConfigError(
                f"connection of {source}: host is no address of a database; write one such as "
                "postgresql://host:5432/database"
            ) from None
        if url.username or url.password:
            raise ConfigError(f"connection of {source}: give login and password apart from host")
        kind = url.get_backend_name()
        url = url.set(
            drivername=_DRIVERS.get(url.drivername, url.drivername),
            username=connection.login,
            password=connection.password,
        )
        if kind == "sqlite":
            # Else a file that is not there is made, empty.
            url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
        arguments: dict[str, Any] = dict(connection.extra.get("connect", {}))
        if kind in _TIMES_OUT:
            arguments.setdefault("connect_timeout", int(limits.timeout.total_seconds()))
        isolation = {"isolation_level": "REPEATABLE READ"} if kind in _SEES_ONE_STATE else {}
        try:
            self._engine = sa.create_engine(
                url, poolclass=sa.pool.NullPool, hide_parameters=True, connect_args=arguments, **isolation
            )
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigError(
                f"connection of {source}: no driver for {kind} is installed ({type(error).__name__})"
            ) from None
        self._first = _READ_ONLY.get(kind)

    @contextmanager
    def reading(self, what: str) -> Iterator[sa.Connection]:
        """Open a connection that reads one state of the database, and changes nothing.

        Raises:
            AuthenticationError: when the database refuses the login.
            SourceUnavailable: when it does not answer, or breaks off.
            ContractBroken: when it refuses a statement.
        """
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        try:
            with self._engine.connect() as connection:
                if self._first:
                    connection.exec_driver_sql(self._first)
                    # It holds for the transactions that begin after it.
                    connection.commit()
                yield connection
        except sa.exc.NoSuchTableError:
            raise ContractBroken(f"{what}: the database shows no such table or view") from None
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.DisconnectionError) as error:
            told = str(error.orig if isinstance(error, sa.exc.DBAPIError) else "").lower()
            if any(sign in told for sign in _REFUSED):
                raise AuthenticationError(f"{what}: the database refuses the login") from None
            raise SourceUnavailable(f"{what}: the database does not answer ({_named(error)})") from None
        except sa.exc.SQLAlchemyError as error:
            raise ContractBroken(f"{what}: the database refuses the read ({_named(error)})") from None

    def close(self) -> None:
        """Close what is open."""
        self._engine.dispose()


def _named(error: Exception) -> str:
    """Name an error by its type and code: its text may quote values."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "pgcode", None) or getattr(cause, "sqlite_errorname", None)
    return f"{type(cause).__name__} {code}" if code else type(cause).__name__
