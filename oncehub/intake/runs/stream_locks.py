"""Locks of a stream: one process a kind of reader, and one landing transaction at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from oncehub.errors import RunBusy
from oncehub.store.connection import Connection, locked

Mode = Literal["full", "changes", "backfill", "replay"]
"""What a run reads: everything, changes, the window of a backfill, or rejected records again."""

Reader = Literal["live", "backfill", "replay"]
"""The kinds of runs that may read a stream side by side; only `live` moves the cursor."""

# The server needs a moment to notice that a process was killed.
_PATIENCE_SECONDS = 3.0

_READERS: dict[Mode, Reader] = {
    "full": "live",
    "changes": "live",
    "backfill": "backfill",
    "replay": "replay",
}
_WORK = {"live": "sync", "backfill": "backfill", "replay": "replay"}
_BUSY = {"live": "read", "backfill": "backfilled", "replay": "replayed"}

_TAKE_TURN = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"


def reader_of(mode: Mode) -> Reader:
    """Return which kind of reader a mode is."""
    return _READERS[mode]


@contextmanager
def stream_lock(connection: Connection, reader: Reader, name: str) -> Iterator[None]:
    """Lock a kind of reader of the stream `name` for this process.

    Raises:
        RunBusy: when another process has the lock.
    """
    with ExitStack() as stack:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not stack.enter_context(locked(connection, f"{_WORK[reader]} {name}")):
            if time.monotonic() > patience:
                raise RunBusy(f"{name} is being {_BUSY[reader]} by another process")
            time.sleep(0.1)
        yield


def lock_for_landing(connection: Connection, name: str) -> None:
    """Wait until no other transaction lands into the stream `name`; the lock ends with the transaction.

    A statement is compared with the stored one before it is written, so two readers must not interleave.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN, (f"land {name}",))
