"""Publishing one sequence: alone, in transactions of its own, and waiting for older ones to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from oncehub.errors import RunBusy, StoreUnavailable
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

PATIENCE_SECONDS = 20.0
"""How long to wait for older transactions that hold changes back."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class PublishReport:
    """What one publishing did.

    Attributes:
        feed: a feed's name, or `corrections.<source>`.
        changes: lines added to the feed.
        last_sequence: sequence of the feed's last line; 0 when it has none.
        seconds: how long it took.
    """

    feed: str
    changes: int
    last_sequence: int
    seconds: float


def publish_in_order(
    settings: Settings,
    feed: str,
    extend: Callable[[Connection], tuple[int, int]],
    held_back: Callable[[Connection], int],
    *,
    database: Connection | None,
    patience: float,
) -> PublishReport:
    """Extend a feed until nothing is held back by a transaction that is still open.

    Args:
        settings: name the database.
        feed: as the report and errors name it.
        extend: publishes what may be published now; returns the number of lines added and the last sequence.
        held_back: counts what is committed, yet after a transaction that is still open.
        database: used instead of a connection of its own.
        patience: seconds to wait for older transactions.

    Raises:
        RunBusy: when another process publishes it.
        StoreUnavailable: when changes are still held back after that; a retry cures it.
    """
    start = time.monotonic()
    with without_values(f"publishing {feed}"), opened(settings, database) as connection:
        changes, last = _extend_alone(connection, feed, extend)
        while left := held_back(connection):
            if time.monotonic() - start > patience:
                raise StoreUnavailable(
                    f"feed {feed}: {left} changes wait for an older transaction to end; try again"
                )
            time.sleep(_POLL_SECONDS)
            added, last = _extend_alone(connection, feed, extend)
            changes += added
    return PublishReport(feed, changes, last, round(time.monotonic() - start, 3))


def _extend_alone(
    connection: Connection, feed: str, extend: Callable[[Connection], tuple[int, int]]
) -> tuple[int, int]:
    with locked(connection, f"publish {feed}") as got:
        if not got:
            raise RunBusy(f"another process publishes the feed {feed}")
        return extend(connection)
