"""Opens the database of a source for reading only; SQLAlchemy speaks to it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oncehub.config.access import Limits
from oncehub.config.connection import Connection, on_this_machine
from oncehub.errors import AuthenticationError, ConfigError, ContractBroken, SourceUnavailable
from oncehub.extras import needs_extra

if TYPE_CHECKING:
    import sqlalchemy as sa

_DRIVERS = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
"""The driver of each kind of database, where SQLAlchemy's own choice is not what an extra installs."""

# The first statement of a session. Beside it, the login should have the right to read only.
_READ_ONLY = {
    "postgresql": "set default_transaction_read_only = on",
    "mysql": "set session transaction read only",
    "mariadb": "set session transaction read only",
    "sqlite": "pragma query_only = on",
}
_SEES_ONE_STATE = {"postgresql", "mysql", "mariadb"}
_REFUSED = ("authentication failed", "access denied", "no password", 'role "', "login failed", "ora-01017")

_UNPROVEN = ("certificate", "support ssl")
_OF_MYSQL = {"mysql", "mariadb"}
_VERIFYING = {"ssl", "ssl_ca", "ssl_capath", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity"}


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
        defaults = _bounds(kind, max(1, int(limits.timeout.total_seconds())))
        if not _is_local(url, arguments):
            defaults |= self._proven(kind, set(url.query), set(arguments))
        arguments = {name: value for name, value in defaults.items() if name not in url.query} | arguments
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

    def _proven(self, kind: str, query: set[str], arguments: set[str]) -> dict[str, Any]:
        """Return what makes the driver refuse a server that does not prove itself, unless that is given."""
        given = query | arguments
        if kind == "postgresql":
            return {"sslmode": "verify-full"}
        if kind not in _OF_MYSQL:
            return {}
        if "ssl_ca" in arguments and not given & {"ssl_verify_cert", "ssl_check_hostname"}:
            # Pymysql checks the server's name unasked only where the authority stands in the address.
            return {"ssl_verify_identity": True}
        if given & _VERIFYING:
            return {}
        if given & {"ssl_cert", "ssl_key"}:
            raise ConfigError(
                f"connection of {self._source}: a client certificate needs ssl_ca, the database's authority"
            )
        return {"ssl": ssl.create_default_context()}

    @contextmanager
    def reading(self, what: str) -> Iterator[sa.Connection]:
        """Open a connection that reads one state of the database, and changes nothing.

        Raises:
            AuthenticationError: when the database refuses the login, or does not prove itself by TLS.
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
            said = str(error.orig if isinstance(error, sa.exc.DBAPIError) else "").lower()
            if any(sign in said for sign in _REFUSED):
                raise AuthenticationError(f"{what}: the database refuses the login") from None
            if any(sign in said for sign in _UNPROVEN):
                raise AuthenticationError(
                    f"{what}: the database does not prove itself by TLS; name its authority (sslrootcert of"
                    " PostgreSQL, ssl_ca of MySQL) in `connect` of the connection's extra"
                ) from None
            raise SourceUnavailable(
                f"{what}: the database does not answer ({_named(error)}); check host and `connect` of the"
                " source's connection, and that the server runs and takes connections from here"
            ) from None
        except sa.exc.SQLAlchemyError as error:
            raise ContractBroken(f"{what}: the database refuses the read ({_named(error)})") from None

    def close(self) -> None:
        """Close what is open."""
        self._engine.dispose()


def _bounds(kind: str, seconds: int) -> dict[str, Any]:
    """Return arguments of the driver by which a peer that has gone is noticed."""
    if kind == "postgresql":
        return {
            "connect_timeout": seconds,
            "keepalives_idle": seconds,
            "keepalives_interval": max(1, seconds // 3),
            "keepalives_count": 3,
            "tcp_user_timeout": seconds * 1000,
        }
    if kind in _OF_MYSQL:
        return dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), seconds)
    return {}


def _is_local(url: sa.URL, arguments: dict[str, Any]) -> bool:
    """Whether every host that is named is this machine; a path is one of its sockets."""
    named = [url.host, *(each.get(name) for each in (url.query, arguments) for name in ("host", "hostaddr"))]
    hosts: list[str] = []
    for each in named:
        for text in (each,) if isinstance(each, str) else each or ():
            # Libpq takes several, and SQLAlchemy writes each with its port.
            hosts += (host for host in text.split(",") if host and not host.startswith("/"))
    return all(on_this_machine(host) for host in hosts)


def _named(error: Exception) -> str:
    """Name an error by its type and code: its text may quote values."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "pgcode", None) or getattr(cause, "sqlite_errorname", None)
    return f"{type(cause).__name__} {code}" if code else type(cause).__name__
