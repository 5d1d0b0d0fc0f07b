"""The pace that all processes reading one source keep together, through the hub's database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

import psycopg2

from oncehub.config.connector import Connector
from oncehub.connect.http.rate_limiter import LONGEST_SUSPENSION, Pause, check_suspension
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.failures import told_without_values
from oncehub.store.migrate import opened

_POLL_SECONDS = 0.05

# A free place and a token in one round trip. Times are the database's, read once the row is locked: clocks of
# machines need not agree.
_TAKE = """
with place as materialized (
    select number
    from unnest(%(free)s::int[]) as number
    where pg_try_advisory_lock(hashtextextended(%(lock)s || number, 0))
    limit 1
), token as (
    insert into connect.pace as pace (source, next_at)
    select %(source)s, clock_timestamp() + make_interval(secs => %(interval)s) from place
    on conflict (source) do update
    set next_at = greatest(clock_timestamp(), pace.held_until, pace.next_at)
        + make_interval(secs => %(interval)s)
    returning held_until, next_at - make_interval(secs => %(burst)s * %(interval)s) as free_at
)
select
    number,
    greatest(clock_timestamp(), held_until, free_at),
    extract(epoch from greatest(held_until, free_at) - clock_timestamp())::float8,
    coalesce(extract(epoch from held_until - clock_timestamp()), 0)::float8
from place, token
"""
_GIVE = "select pg_advisory_unlock(hashtextextended(%(lock)s || %(number)s::int, 0))"
_IS_HELD = "select held_until > %(begins)s from connect.pace where source = %(source)s"
_HOLD = """
insert into connect.pace as pace (source, next_at, held_until)
values (%(source)s, clock_timestamp(), clock_timestamp() + make_interval(secs => %(seconds)s))
on conflict (source) do update set held_until = greatest(pace.held_until, excluded.held_until)
"""


@contextmanager
def shared_rate_limiter(settings: Settings, connector: Connector) -> Iterator[SharedRateLimiter]:
    """Open the pace of a connector's source; over a connection of its own, for as many threads as wish.

    Raises:
        StoreUnavailable, StoreOutdated: when the database cannot be used.
    """
    with opened(settings) as connection:
        connection.autocommit = True
        yield SharedRateLimiter(connection, connector)


class _Turn(NamedTuple):
    """A place, and when its request may begin; `wait` and `held` in seconds from now, negative when past."""

    place: int
    begins: datetime
    wait: float
    held: float


class SharedRateLimiter:
    """A token bucket in a row of the database, and places that are locks of this session.

    Whatever becomes of a process, its places are free again with its session. A request costs two short
    statements.
    """

    def __init__(self, connection: Connection, connector: Connector) -> None:
        """Take a connection that commits by itself and serves nothing else."""
        limits = connector.limits
        self._connection = connection
        self._limits = limits
        self._values = {
            "source": connector.source,
            "lock": f"oncehub pace {connector.source} ",
            "interval": 1 / limits.requests,
            "burst": limits.burst,
        }
        self._doing = f"keeping the pace of {connector.source}"
        # A session may take its own locks twice, so its threads must not be offered a place that one has.
        self._free = list(range(limits.concurrency))
        random.shuffle(self._free)
        self._lock = Lock()

    @contextmanager
    def turn(self, pause: Pause) -> Iterator[None]:
        """Enter when a request may begin; leave when it was answered.

        Raises:
            TryAgain: see `RateLimiter.turn`.
            StoreUnavailable: when the database is lost.
        """
        while True:
            turn = self._taken()
            if turn is None:
                pause(_POLL_SECONDS)
                continue
            try:
                if self._has_come(turn, pause):
                    yield
                    return
            finally:
                self._give(turn.place)

    def suspend(self, seconds: float) -> None:
        """Let nobody begin for so long.

        Raises:
            StoreUnavailable: when the database is lost.
        """
        self._run(_HOLD, seconds=min(seconds, LONGEST_SUSPENSION))

    def _taken(self) -> _Turn | None:
        with self._lock:
            row = self._asked(_TAKE, free=self._free) if self._free else None
            if row is None:
                return None
            self._free.remove(row[0])
            return _Turn(*row)

    def _has_come(self, turn: _Turn, pause: Pause) -> bool:
        check_suspension(turn.held, self._limits)
        if turn.wait <= 0:
            return True
        pause(turn.wait)
        # Whoever was waiting when the source asked for peace waits for another turn.
        return not self._run(_IS_HELD, begins=turn.begins)[0]

    def _give(self, place: int) -> None:
        with self._lock:
            self._free.insert(0, place)
            # A lost session has given its places back already; the next turn will tell.
            with suppress(psycopg2.Error), self._connection.cursor() as cursor:
                cursor.execute(_GIVE, {**self._values, "number": place})

    def _run(self, statement: str, **values: Any) -> Any:
        with self._lock:
            return self._asked(statement, **values)

    def _asked(self, statement: str, **values: Any) -> Any:
        with told_without_values(self._doing), self._connection.cursor() as cursor:
            cursor.execute(statement, {**self._values, **values})
            return cursor.fetchone() if cursor.description else None
