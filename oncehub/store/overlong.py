"""Ends transactions of the API's login that last too long: they would hold up what the hub does alone.

The API's transactions last for seconds, and `transaction_timeout` ends others. SQL injected into the API can
switch that off for its session, and keep a transaction open, which holds locks and the horizon up to which
the access log is signed. When a transaction began does not show for a login whose activities are hidden;
which transaction a session is in does. One that is seen twice, with `LONGEST` between, has lasted for longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import psycopg2.errors

from oncehub.errors import StoreOutdated
from oncehub.store.connection import Connection

API_ROLE: Final = "oncehub_api"
"""The API's login: it reads no person, and calls functions that answer to proven requests."""

LONGEST: Final = timedelta(seconds=30)

_OPEN: Final = """
select held.pid, held.virtualtransaction
from pg_locks as held join pg_stat_activity as session using (pid)
where held.locktype = 'virtualxid' and held.granted and held.mode = 'ExclusiveLock'
    and session.usename = %(role)s and session.datname = current_database()
"""

_END: Final = f"""
select count(*) filter (where pg_terminate_backend(still.pid)) from ({_OPEN}) as still
where (still.pid, still.virtualtransaction) in (
    select * from unnest(%(pids)s::int[], %(transactions)s::text[])
)
"""


class OverlongTransactions:
    """Transactions of the API that were seen, and when first.

    Args:
        longest: that one may last; None: `LONGEST`.
        clock: seconds that only grow.
    """

    def __init__(self, longest: timedelta | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = (LONGEST if longest is None else longest).total_seconds()
        self._clock = clock
        self._since: dict[tuple[int, str], float] = {}

    def end(self, connection: Connection) -> int:
        """End the sessions whose transaction was seen `longest` ago or before; return how many those were.

        Args:
            connection: with the hub's own rights, in no transaction.

        Raises:
            StoreOutdated: when its login may not end sessions of the API.
        """
        with connection, connection.cursor() as cursor:
            cursor.execute(_OPEN, {"role": API_ROLE})
            now = self._clock()
            self._since = {each: self._since.get(each, now) for each in cursor.fetchall()}
            overlong = [each for each, since in self._since.items() if now - since >= self._longest]
            if not overlong:
                return 0
            pids, transactions = zip(*overlong, strict=True)
            values = {"role": API_ROLE, "pids": list(pids), "transactions": list(transactions)}
            try:
                cursor.execute(_END, values)
            except psycopg2.errors.InsufficientPrivilege:
                raise StoreOutdated(
                    f"a transaction of {API_ROLE} has lasted longer than {self._longest:g} seconds, and the "
                    "hub's login may not end it; as a superuser of the server run: psql -d postgres -f "
                    "deploy/bootstrap.sql"
                ) from None
            (ended,) = cursor.fetchone() or (0,)
        return int(ended)
