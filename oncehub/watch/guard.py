"""The watchdog's guard: ends transactions of the API that last longer than any of its requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from oncehub.errors import OncehubError
from oncehub.settings import Settings
from oncehub.store.connection import connect, database_url
from oncehub.store.failures import without_values
from oncehub.store.overlong import API_ROLE, OverlongTransactions

EVERY_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


@contextmanager
def guarding(
    settings: Settings, transactions: OverlongTransactions, every: float = EVERY_SECONDS
) -> Iterator[None]:
    """Look at the API's transactions from a thread of this process meanwhile.

    Args:
        settings: of the hub.
        transactions: those that were seen.
        every: seconds from look to look.
    """
    stopped = threading.Event()
    thread = threading.Thread(
        target=_guard, args=(settings, transactions, stopped, every), name="guard", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _guard(
    settings: Settings, transactions: OverlongTransactions, stopped: threading.Event, every: float
) -> None:
    """Look again and again; what keeps it from looking is logged once, until it can look again."""
    try:
        _look(settings, transactions, stopped, every)
    finally:
        if not stopped.is_set():
            _log.critical("the API's transactions are not guarded any more; restart the watchdog")


def _look(
    settings: Settings, transactions: OverlongTransactions, stopped: threading.Event, every: float
) -> None:
    hindered = ""
    while not stopped.is_set():
        try:
            with (
                without_values("ending overlong transactions"),
                closing(connect(database_url(settings))) as connection,
            ):
                while not stopped.wait(every):
                    if ended := transactions.end(connection):
                        _log.error("ended %d transactions of %s that lasted too long", ended, API_ROLE)
                    hindered = ""
        except OncehubError as error:
            if str(error) != hindered:
                _log.error("the API's transactions are not guarded: %s", error)
            hindered = str(error)
            stopped.wait(every)
