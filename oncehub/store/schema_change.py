"""Runs what creates, alters and grants in the database: alone, in one transaction, without a long queue.

A change of a table or view waits for the statements that use it, and all later ones wait behind it. It
therefore gives up its place after half a second, lets the others pass, and begins again. That is less than
PostgreSQL's `deadlock_timeout`: where a look-up and a change wait for each other, the change gives way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import psycopg2.errors

from oncehub.errors import StoreUnavailable
from oncehub.store.connection import Connection, Cursor
from oncehub.store.overlong import OverlongTransactions

T = TypeVar("T")

_READERS: Final = "hashtextextended('oncehub readers', 0)"

READ: Final = "select hub.begin_reading()"
"""The statement that begins each transaction of the API: a change of schema is before it or after it."""

LONGEST_WAIT_SECONDS: Final = 120.0
"""How long a change tries to get its locks before it fails."""

_TURN_TIMEOUT: Final = "5min"
_LOCK_TIMEOUT: Final = "500ms"
_ATTEMPTS_BESIDE_ANOTHER_HUB: Final = 5

# Those who waited behind the change pass meanwhile.
_PAUSE_SECONDS: Final = 0.25

# A stopped process would keep its locks, and everybody else waiting.
_IDLE_TIMEOUT: Final = "30s"

# Roles belong to the server: the hub of another database may create or drop the same one at the same time.
_OTHER_HUB: Final = (
    psycopg2.errors.DuplicateObject,
    psycopg2.errors.UndefinedObject,
    psycopg2.errors.UniqueViolation,
    psycopg2.errors.InternalError_,
)

_OTHERS: Final = """
select pid, application_name, state, to_char(now() - xact_start, 'HH24:MI:SS')
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
order by xact_start
limit 3
"""


def change_schema(connection: Connection, change: Callable[[Cursor], T]) -> T:
    """Run `change` in one transaction and return its result; of several at once, one runs at a time.

    It runs again, from its beginning, when it does not get a lock soon: it must have no other effect than the
    transaction's.

    Raises:
        StoreUnavailable: another session holds a lock for `LONGEST_WAIT_SECONDS`; the message names sessions.
    """
    give_up = time.monotonic() + LONGEST_WAIT_SECONDS
    overlong = OverlongTransactions()
    beside_another_hub = 0
    while True:
        try:
            with connection, connection.cursor() as cursor:
                _take_turn(cursor)
                return change(cursor)
        except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected):
            if time.monotonic() > give_up:
                raise StoreUnavailable(
                    "others use what is to be changed in the database, and nothing was changed; the oldest "
                    f"transactions: {_others(connection)}. Wait for them or stop them, then run it again"
                ) from None
            overlong.end(connection)
        except _OTHER_HUB:
            beside_another_hub += 1
            if beside_another_hub == _ATTEMPTS_BESIDE_ANOTHER_HUB:
                raise
        time.sleep(_PAUSE_SECONDS)


def hold_back_readers(cursor: Cursor) -> None:
    """Let transactions of the API end, and new ones wait for the commit; call it before changing anything.

    A statement that had found a view or a function before it was replaced would fail.
    """
    cursor.execute(f"select pg_advisory_xact_lock({_READERS})")


def _take_turn(cursor: Cursor) -> None:
    """Wait until no other session changes the schema of this database; then wait briefly for any lock."""
    cursor.execute("select set_config('lock_timeout', %s, true)", (_TURN_TIMEOUT,))
    try:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('oncehub change of schema', 0))")
    except psycopg2.errors.LockNotAvailable:
        raise StoreUnavailable(
            "another `oncehub init` or `oncehub agreements apply` has been running for five minutes; wait "
            "for it or stop it, then run this one again"
        ) from None
    cursor.execute(
        "select set_config('lock_timeout', %s, true), set_config('statement_timeout', '0', true), "
        "set_config('idle_in_transaction_session_timeout', %s, true)",
        (_LOCK_TIMEOUT, _IDLE_TIMEOUT),
    )


def _others(connection: Connection) -> str:
    with connection, connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        sessions = cursor.fetchall()
    return (
        ", ".join(
            f"session {pid} ({name or 'unnamed'}, {state}, for {age})" for pid, name, state, age in sessions
        )
        or "none is left"
    )
