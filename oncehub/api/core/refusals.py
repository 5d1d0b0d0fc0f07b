"""Counts the requests that are refused before a question is asked, for the access log.

Refusals that are alike (status, client, source address) are one line of the log: the first is written within
a second, those that follow in the same minute together at its end. All that is counted is written when the
process is asked to stop, and while the database does not answer it waits. A process that is killed loses
what it had not written: at most the repetitions of one minute. Each request's line of the server's own log
remains.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import psycopg2

from oncehub.audit.log.entries import Refusals, write_refusals
from oncehub.errors import StoreError
from oncehub.store.connection import Connection

NOT_REGISTERED: Final = "(not registered)"
"""What the log has in place of a claimed client that is none: such a name may hold anything."""

OTHERS: Final = "(others)"
"""What the log has in place of claimed clients that are too many to be counted apart."""

_MOST_APART: Final = 1024
_FLUSH_SECONDS: Final = 1.0
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REGISTERED: Final = "select client_id from share.client where client_id = any(%s)"

_log = logging.getLogger("oncehub.api")


class _Alike(NamedTuple):
    """What refusals of one line have in common; see `oncehub.audit.log.entries.Refusals`."""

    status: int
    client_id: str | None
    agreement: str | None
    claimed_client: str | None
    source: str | None


@dataclass
class _Count:
    count: int
    first_at: datetime
    last_at: datetime
    request_id: uuid.UUID


class RefusalCounter:
    """Counts refusals in memory, bounded, and writes them to the access log.

    Args:
        transaction: opens a transaction that may write the log.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transaction = transaction
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[_Alike, _Count] = {}
        self._seen: set[_Alike] = set()
        self._written: set[_Alike] = set()
        self._minute = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def count(
        self,
        status: int,
        *,
        source: str | None = None,
        client_id: str | None = None,
        agreement: str | None = None,
        claimed: str | None = None,
        request_id: uuid.UUID | None = None,
    ) -> None:
        """Count one refused request; returns at once.

        Args:
            status: of the answer.
            source: the address that sent the request.
            client_id: of the authenticated client; None where there is none.
            agreement: of that client.
            claimed: the client that the request claims without proof; may be any text.
            request_id: a new one if None.
        """
        if client_id is not None:
            claimed = None
        elif claimed is not None and not _CLIENT_ID.fullmatch(claimed):
            claimed = NOT_REGISTERED
        alike = _Alike(status, client_id, agreement, claimed, source)
        moment = datetime.fromtimestamp(self._clock(), UTC)
        with self._lock:
            self._begin_minute(moment)
            alike = self._bounded(alike)
            known = self._counts.setdefault(alike, _Count(0, moment, moment, request_id or uuid.uuid4()))
            known.count += 1
            known.last_at = moment

    def count_answer(self, status: int, state: Mapping[str, Any]) -> None:
        """Count a request that was refused, unless it has a line of its own in the access log.

        Args:
            status: of the answer.
            state: of the request: `source` and `request_id` from the middleware, `caller` once a token was
                verified, `claimed` where authentication failed (it may be any text), `logged` where the log
                has a line of its own.
        """
        if state.get("logged"):
            return
        claimed = state.get("claimed")
        caller = None if claimed else state.get("caller")
        self.count(
            status,
            source=state["source"],
            client_id=caller and caller.client_id,
            agreement=caller and caller.agreement,
            claimed=claimed,
            request_id=state["request_id"],
        )

    def start(self) -> None:
        """Write every second in a thread until `stop`."""
        self._thread = threading.Thread(target=self._write_repeatedly, name="refusals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write all that was counted; what cannot be written is told to the server's log."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.flush(everything=True)
        with self._lock:
            lost = sum(each.count for each in self._counts.values())
        if lost:
            _log.error("%d refused requests could not be written to the access log", lost)

    def flush(self, *, everything: bool = False) -> None:
        """Write what is due; what cannot be written is kept, and written later.

        Args:
            everything: also repetitions in the present minute.
        """
        with self._lock:
            self._begin_minute(datetime.fromtimestamp(self._clock(), UTC))
            due = [alike for alike in self._counts if everything or alike not in self._written]
            taken = {alike: self._counts.pop(alike) for alike in due}
            self._written.update(taken)
        if not taken:
            return
        try:
            with self._transaction() as connection:
                write_refusals(connection, _lines(taken, _registered(connection, taken)))
        except (psycopg2.Error, StoreError) as error:
            _log.warning("refused requests wait to be written: %s", type(error).__name__)
            self._put_back(taken)

    def _write_repeatedly(self) -> None:
        while not self._stopping.wait(_FLUSH_SECONDS):
            self.flush()

    def _begin_minute(self, moment: datetime) -> None:
        minute = int(moment.timestamp() // 60)
        if minute != self._minute:
            self._minute = minute
            self._seen = set(self._counts)
            self._written = set()

    def _bounded(self, alike: _Alike) -> _Alike:
        """Return what to count it as: with too many, first without the claimed client, then the source."""
        for each, most in (
            (alike, _MOST_APART),
            (alike._replace(claimed_client=alike.claimed_client and OTHERS), 2 * _MOST_APART),
        ):
            if each in self._seen or len(self._seen) < most:
                self._seen.add(each)
                return each
        return alike._replace(claimed_client=alike.claimed_client and OTHERS, source=None)

    def _put_back(self, taken: dict[_Alike, _Count]) -> None:
        with self._lock:
            for alike, count in taken.items():
                self._written.discard(alike)
                later = self._counts.get(alike)
                self._counts[alike] = (
                    replace(count, count=count.count + later.count, last_at=later.last_at) if later else count
                )


def _registered(connection: Connection, taken: dict[_Alike, _Count]) -> set[str]:
    """Return those of the claimed clients that are registered."""
    claimed = {alike.claimed_client for alike in taken if alike.claimed_client}
    with connection.cursor() as cursor:
        cursor.execute(_REGISTERED, (sorted(claimed),))
        return {client_id for (client_id,) in cursor.fetchall()}


def _lines(taken: dict[_Alike, _Count], registered: set[str]) -> list[Refusals]:
    """Return a line for all that are alike now that names which are no client's are left out."""
    lines: dict[_Alike, Refusals] = {}
    for counted, count in taken.items():
        claimed = counted.claimed_client
        if claimed not in (None, OTHERS) and claimed not in registered:
            claimed = NOT_REGISTERED
        alike = counted._replace(claimed_client=claimed)
        line = Refusals(**alike._asdict(), **vars(count))
        if known := lines.get(alike):
            line = replace(
                known,
                count=known.count + line.count,
                first_at=min(known.first_at, line.first_at),
                last_at=max(known.last_at, line.last_at),
            )
        lines[alike] = line
    return list(lines.values())
