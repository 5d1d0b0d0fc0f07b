"""The API's look-ups in the database: one message each on the event loop, whose values the server binds.

psycopg2 writes values into the text of a statement. Here they are bound, so that neither another session nor
the server's log can show them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import asyncpg
import orjson
from asyncpg.prepared_stmt import PreparedStatement
from psycopg2.extensions import parse_dsn

from oncehub.errors import ConfigError, StoreOutdated, StoreUnavailable
from oncehub.share.people.lookup import Asked, Told
from oncehub.store.failures import is_shape
from oncehub.store.history import COMPARE, require_place
from oncehub.traces import span

_CALL: Final = "call share.look_up($1, $2, $3, $4, $5, null, null, null, null)"

# Of libpq's parameters, those that asyncpg reads as libpq does, and those that the API sets itself.
_SAME: Final = frozenset(
    {"host", "port", "user", "password", "dbname", "passfile", "service", "target_session_attrs"}
    | {"sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"}
    | {"ssl_min_protocol_version", "ssl_max_protocol_version"}
)
_SET: Final = frozenset(
    {"options", "application_name", "fallback_application_name", "client_encoding", "connect_timeout"}
    | {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
_SETTINGS: Final = {
    "application_name": "oncehub api",
    "timezone": "UTC",
    "client_min_messages": "warning",
    "statement_timeout": "10s",
    "plan_cache_mode": "force_generic_plan",
}
_CONNECT_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 5.0
# Firewalls forget a connection that nothing goes over; the next look-up would wait for it.
_IDLE_SECONDS: Final = 30.0
# Longer than the server lets a statement run: the server is then no longer reached.
_ANSWER_SECONDS: Final = 20.0

# An InternalClientError is what asyncpg cannot read, as of a server that ended in the middle of an answer.
_LOST: Final = (
    *(OSError, EOFError, TimeoutError),
    *(asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError),
)


@dataclass(eq=False)
class _Session:
    connection: asyncpg.Connection[asyncpg.Record]
    statement: PreparedStatement[asyncpg.Record]
    loop: asyncio.AbstractEventLoop
    used_at: float = 0.0


class LookUps:
    """Asks the database for people, on a bounded number of connections that are opened when needed.

    A connection is used in the event loop that opened it, and ends with it.

    Args:
        login: connection string of the API's login.
        size: how many connections there are at most.
        in_use: called with 1 when a connection is taken, and with -1 when it is given back.

    Raises:
        ConfigError: the login has a parameter that would be passed over.
    """

    def __init__(self, login: str, size: int = 4, in_use: Callable[[int], None] = lambda _: None) -> None:
        parts = {name: value for name, value in parse_dsn(login).items() if name not in _SET}
        if others := sorted(parts.keys() - _SAME):
            raise ConfigError(
                f"the API's database URL has {', '.join(others)}, which look-ups cannot obey; leave it out"
            )
        self.size = size
        if parts.get("sslrootcert") == "system":
            raise ConfigError("look-ups cannot use sslrootcert=system; name the file of the certificates")
        if hosts := parts.get("host"):
            parts["host"] = ",".join(map(_bracketed, hosts.split(",")))
        self._url = "postgresql://?" + urlencode(parts)
        self._in_use = in_use
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Session] = []

    async def ask(self, asked: Asked, agreement: str) -> Told:
        """Ask for one person, with the line of the access log, which is committed before anything is told.

        Raises:
            StoreUnavailable: when the server does not answer, or no connection is free in time.
            StoreNotAdopted: when the database was restored, copied or failed over.
            StoreOutdated: when the database lacks what the statement needs.
            asyncpg.PostgresError: when the database refuses it otherwise.
        """
        signed = asked.question.signed(asked.keys, agreement, asked.request_id)
        async with self._session() as session:
            row = await session.statement.fetchrow(
                signed.message, signed.code, asked.keys.pseudonym_blocks, signed.at, asked.request_id
            )
        outcome, given, provenance, disputed = row or (None, None, None, None)
        return Told(
            outcome,
            orjson.loads(given) if given else {},
            orjson.loads(provenance) if provenance else {},
            disputed or [],
        )

    async def reach(self) -> None:
        """Take a connection and call the procedure of a look-up on it, which without a request does nothing.

        Raises:
            StoreError, asyncpg.PostgresError: as `ask`.
        """
        async with self._session() as session:
            await session.statement.fetchrow(None, None, None, None, None)

    async def close(self) -> None:
        """Close the connections of this event loop."""
        while session := self._open_one():
            session.connection.terminate()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[_Session]:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise StoreUnavailable("the hub is too busy to answer now") from None
        self._in_use(1)
        session = None
        fine = False
        try:
            session = self._open_one() or await self._connected()
            with span("database transaction", kind="client"):
                yield session
            fine = True
        except _LOST:
            raise StoreUnavailable("the hub's database does not answer now") from None
        except asyncpg.PostgresError as error:
            fine = not is_shape(error.sqlstate or "")
            if fine:
                raise
            raise StoreOutdated(
                f"the database refused: {type(error).__name__} ({error.sqlstate}): it is being changed, or "
                "lacks what this version needs; if that lasts, run `oncehub init`"
            ) from None
        finally:
            if session is not None and fine:
                session.used_at = session.loop.time()
                self._idle.append(session)
            elif session is not None:
                # Also when the request was cut off: its statement ends with its connection.
                session.connection.terminate()
            self._in_use(-1)
            self._free.release()

    def _open_one(self) -> _Session | None:
        """Return an idle connection of this event loop; drop those that were closed, or idle for too long."""
        loop = asyncio.get_running_loop()
        while own := [session for session in self._idle if session.loop is loop]:
            self._idle.remove(own[-1])
            if not own[-1].connection.is_closed() and loop.time() - own[-1].used_at < _IDLE_SECONDS:
                return own[-1]
            own[-1].connection.terminate()
        return None

    async def _connected(self) -> _Session:
        """Connect, and look whether the database is the hub's own still."""
        try:
            connection = await asyncpg.connect(
                self._url,
                timeout=_CONNECT_SECONDS,
                command_timeout=_ANSWER_SECONDS,
                server_settings=_SETTINGS,
            )
        except asyncpg.PostgresError as error:
            raise StoreUnavailable(
                f"the hub's database takes no connection now: {type(error).__name__} ({error.sqlstate})"
            ) from None
        try:
            row = await connection.fetchrow(COMPARE)
            require_place(row and tuple(row))
            return _Session(connection, await connection.prepare(_CALL), asyncio.get_running_loop())
        except BaseException:
            connection.terminate()
            raise


def _bracketed(host: str) -> str:
    """Write an address of IPv6 as asyncpg reads it; libpq takes it bare."""
    return f"[{host}]" if ":" in host and not host.startswith("/") else host
