"""The lanes in which a stream is landed: side by side, one process each, one transaction at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from oncehub.errors import RunBusy
from oncehub.store.connection import Connection, locked

Mode = Literal["full", "changes", "backfill", "replay"]
"""What a run reads: everything, what changed, a window that was asked for, or rejected records once more."""

Lane = Literal["live", "backfill", "replay"]

# The server needs a moment to notice that a killed process is gone.
_PATIENCE_SECONDS = 3.0

_LANES: dict[Mode, Lane] = {
    "full": "live",
    "changes": "live",
    "backfill": "backfill",
    "replay": "replay",
}
_WORK = {"live": "sync", "backfill": "backfill", "replay": "replay"}
_BUSY = {"live": "read", "backfill": "backfilled", "replay": "replayed"}

_TAKE_TURN = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"


def lane_of(mode: Mode) -> Lane:
    """Return the lane of a mode; only the live one moves the cursor."""
    return _LANES[mode]


@contextmanager
def alone(connection: Connection, lane: Lane, name: str) -> Iterator[None]:
    """Hold a lane of the stream `name` against other processes.

    Raises:
        RunBusy: when another holds it.
    """
    with ExitStack() as stack:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not stack.enter_context(locked(connection, f"{_WORK[lane]} {name}")):
            if time.monotonic() > patience:
                raise RunBusy(f"{name} is being {_BUSY[lane]} by another process")
            time.sleep(0.1)
        yield


def take_turn(connection: Connection, name: str) -> None:
    """Wait until no other lane lands into the stream `name`; this turn ends with the transaction.

    Whether a statement is outdated is looked up before it is written, so two lanes must not do both at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN, (f"land {name}",))
