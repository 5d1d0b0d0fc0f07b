"""The rate limit that all processes reading one source share, kept in the hub's database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import sql

from oncehub.config.connector import Connector
from oncehub.connect.http.local_rate_limiter import LONGEST_SUSPENSION, Pause, check_suspension
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened
from oncehub.store.statements import statement

_POLL_SECONDS = 0.05
_SECONDS_OF_WORK = 60
"""Longer than a clock is corrected by in steps that no reader should notice."""

_TAKE_TURN = statement(__name__, "take_turn")
_RELEASE = "select pg_advisory_unlock(hashtextextended(%(lock)s || %(slot)s::int, 0))"
_IS_SUSPENDED = "select suspended_until > %(begins)s from connect.rate_limit where source = %(source)s"
_SUSPEND = """
insert into connect.rate_limit as known (source, next_at, suspended_until)
values (%(source)s, clock_timestamp(), clock_timestamp() + make_interval(secs => %(seconds)s))
on conflict (source) do update
set suspended_until = greatest(known.suspended_until, excluded.suspended_until)
"""


@contextmanager
def shared_rate_limiter(settings: Settings, connector: Connector) -> Iterator[SharedRateLimiter]:
    """Open the rate limiter of a connector's source on a connection of its own; threads may share it.

    Raises:
        StoreUnavailable, StoreOutdated: when the database cannot be used.
    """
    with opened(settings) as connection:
        connection.autocommit = True
        yield SharedRateLimiter(connection, connector)


class _Turn(NamedTuple):
    """A slot and when its request may begin; `wait` and `suspended` in seconds from now, negative if past."""

    slot: int
    begins: datetime
    wait: float
    suspended: float


class SharedRateLimiter:
    """A token bucket in a row of the database; a slot for a concurrent request is a lock of this session.

    However a process ends, its session ends too and frees its slots. A request costs two short statements.
    """

    def __init__(self, connection: Connection, connector: Connector) -> None:
        """Take a connection that commits by itself and serves nothing else."""
        limits = connector.limits
        self._connection = connection
        self._limits = limits
        self._values = {
            "source": connector.source,
            "lock": f"oncehub rate limit {connector.source} ",
            "interval": 1 / limits.requests,
            "burst": limits.burst,
            "longest_suspension": LONGEST_SUSPENSION,
            # Each reader that waits holds a slot, and has taken one token.
            "longest_queue": (limits.concurrency + limits.burst + 1) / limits.requests + _SECONDS_OF_WORK,
        }
        self._doing = f"limiting the rate of requests to {connector.source}"
        # A session may take its own lock twice, so slots that its threads hold are not offered again.
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
            turn = self._take()
            if turn is None:
                pause(_POLL_SECONDS)
                continue
            try:
                if self._may_begin(turn, pause):
                    yield
                    return
            finally:
                self._release(turn.slot)

    def suspend(self, seconds: float) -> None:
        """Let no request begin for so long.

        Raises:
            StoreUnavailable: when the database is lost.
        """
        with self._lock:
            self._run(_SUSPEND, seconds=min(seconds, LONGEST_SUSPENSION))

    def _take(self) -> _Turn | None:
        with self._lock:
            row = self._run(_TAKE_TURN, free=self._free) if self._free else None
            if row is None:
                return None
            self._free.remove(row[0])
            return _Turn(*row)

    def _may_begin(self, turn: _Turn, pause: Pause) -> bool:
        check_suspension(turn.suspended, self._limits)
        if turn.wait <= 0:
            return True
        pause(turn.wait)
        # A suspension that began during the pause outlasts this turn: wait for another one.
        with self._lock:
            return not self._run(_IS_SUSPENDED, begins=turn.begins)[0]

    def _release(self, slot: int) -> None:
        with self._lock:
            self._free.insert(0, slot)
            # A lost session has freed its slots already; the next turn reports the loss.
            with suppress(psycopg2.Error), self._connection.cursor() as cursor:
                cursor.execute(_RELEASE, {**self._values, "slot": slot})

    def _run(self, statement: str | sql.SQL, **values: Any) -> Any:
        with without_values(self._doing), self._connection.cursor() as cursor:
            cursor.execute(statement, {**self._values, **values})
            return cursor.fetchone() if cursor.description else None
