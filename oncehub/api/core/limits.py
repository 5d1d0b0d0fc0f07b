"""What stops a request: the limits of its agreement by second and by day, and an unsigned access log.

All processes of the API count together: the counts are in memory shared by the processes forked from the one
that created it. Another server of the same hub has its own counts: by second those of its own requests, by
day starting from the number of entries in the log when it first served the agreement that day.
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

from oncehub.clock import VIETNAM
from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError, LogUnsigned, TooManyRequests
from oncehub.store.connection import Connection

_SLOTS: Final = 1024

LONGEST_UNSIGNED_SECONDS: Final = 14_400
"""How long an entry may be unsigned unless `ONCEHUB_UNSIGNED_SECONDS` gives another limit.

As X-Road's `acceptable-timestamp-failure-period` (UG-SYSPAR), four hours.
"""

_RECHECK_SECONDS: Final = 5.0

_WAITED: Final = "select extract(epoch from clock_timestamp() - audit.oldest_unsigned())"


class _Shared:
    """Two numbers for each name in shared memory, with a lock."""

    def __init__(self) -> None:
        self._cells = multiprocessing.get_context("fork").Array("d", 3 * _SLOTS)
        self.lock = self._cells.get_lock()
        self._places: dict[str, int] = {}

    def get(self, name: str) -> tuple[float, float] | None:
        place = self._place(name)
        cells: Any = self._cells.get_obj()
        return (cells[place + 1], cells[place + 2]) if cells[place] else None

    def put(self, name: str, first: float, second: float) -> None:
        place = self._place(name)
        self._cells.get_obj()[place : place + 3] = [_digest(name), first, second]

    def _place(self, name: str) -> int:
        """Return the position of a name's numbers, or the free one where they will be."""
        if (known := self._places.get(name)) is not None:
            return known
        cells: Any = self._cells.get_obj()
        wanted = _digest(name)
        for step in range(_SLOTS):
            place = 3 * ((int(wanted) + step) % _SLOTS)
            if cells[place] == wanted:
                self._places[name] = place
                return place
            if not cells[place]:
                return place
        raise RuntimeError(f"more than {_SLOTS} agreements")


class SecondLimit:
    """A token bucket for each agreement; its size is the number of requests for one second.

    Args:
        clock: monotonic seconds, the same in all processes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets = _Shared()

    def take(self, agreement: Agreement) -> None:
        """Count one request.

        Raises:
            TooManyRequests: when the bucket is empty.
        """
        rate = agreement.limits.per_second
        with self._buckets.lock:
            now = self._clock()
            level, since = self._buckets.get(agreement.name) or (float(rate), now)
            level = min(float(rate), level + (now - since) * rate)
            enough = level >= 1
            self._buckets.put(agreement.name, level - 1 if enough else level, now)
        if not enough:
            raise TooManyRequests(
                f"the agreement allows {rate} requests a second", math.ceil((1 - level) / rate)
            )


class DayLimit:
    """The requests of each agreement on the present day in Vietnam.

    The first process that serves an agreement on a day counts the entries in the log; all processes
    continue from that count.

    Args:
        clock: the present moment, with time zone.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(VIETNAM)) -> None:
        self._clock = clock
        self._counts = _Shared()

    def take(self, connection: Connection, agreement: Agreement) -> None:
        """Count one request.

        Raises:
            TooManyRequests: when the limit of the day is reached.
        """
        now = self._clock().astimezone(VIETNAM)
        with self._counts.lock:
            count = self._counted(connection, agreement, now.date())
            enough = count < agreement.limits.per_day
            self._counts.put(agreement.name, now.toordinal(), count + enough)
        if not enough:
            left = _midnight(now.date() + timedelta(days=1)) - now
            raise TooManyRequests(
                f"the agreement allows {agreement.limits.per_day} requests a day",
                math.ceil(left.total_seconds()),
            )

    def left(self, connection: Connection, agreement: Agreement) -> int:
        """Return how many requests are left today, without counting one."""
        day = self._clock().astimezone(VIETNAM).date()
        with self._counts.lock:
            count = self._counted(connection, agreement, day)
            self._counts.put(agreement.name, day.toordinal(), count)
        return agreement.limits.per_day - int(count)

    def _counted(self, connection: Connection, agreement: Agreement, day: date) -> float:
        """Return the count of a day; the first time, that of the entries in the log."""
        known = self._counts.get(agreement.name)
        if known and known[0] == day.toordinal():
            return known[1]
        return _logged(connection, agreement, _midnight(day))


class CheckpointWatch:
    """Stops requests while the access log is not signed: every disclosure must be provable later.

    Args:
        longest: seconds that an entry may be unsigned.
        clock: monotonic seconds.
    """

    def __init__(
        self, longest: float = LONGEST_UNSIGNED_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._longest = longest
        self._clock = clock
        self._checked: float | None = None

    def require_signed(self, connection: Connection) -> None:
        """Refuse the request while signing is overdue; reads the database only every few seconds.

        Raises:
            LogUnsigned: when an entry has been unsigned for longer than the limit.
        """
        now = self._clock()
        if self._checked is not None and now - self._checked < _RECHECK_SECONDS:
            return
        with connection.cursor() as cursor:
            cursor.execute(_WAITED)
            (waited,) = cursor.fetchone() or (None,)
        if waited is not None and waited > self._longest:
            raise LogUnsigned(
                "the access log has not been signed for too long; look-ups are refused until it is"
            )
        self._checked = now


def checkpoint_watch() -> CheckpointWatch:
    """Return the watch that `ONCEHUB_UNSIGNED_SECONDS` asks for.

    Raises:
        ConfigError: when it is not a number of seconds.
    """
    text = os.environ.get("ONCEHUB_UNSIGNED_SECONDS") or str(LONGEST_UNSIGNED_SECONDS)
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError("ONCEHUB_UNSIGNED_SECONDS must be a whole number of seconds, at least 1")
    return CheckpointWatch(int(text))


def _digest(name: str) -> float:
    """Return 48 bits of a name's SHA-256, which a double holds exactly."""
    return float(int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") or 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=VIETNAM)


def _logged(connection: Connection, agreement: Agreement, since: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select audit.entry_count(%s, %s)", (agreement.name, since))
        row = cursor.fetchone()
    return int(row[0]) if row else 0
