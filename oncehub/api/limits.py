"""How often an agency may ask: by the second within this process, by the day from the access log."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

from oncehub.model.errors import TooManyRequests
from oncehub.model.sharing import Agreement
from oncehub.model.vietnam import VIETNAM
from oncehub.store.connection import Connection


class SecondLimit:
    """A token bucket for each agreement, as large as what it may ask in one second.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, agreement: Agreement) -> None:
        """Count one request.

        Raises:
            TooManyRequests: when the bucket is empty.
        """
        rate = agreement.limits.per_second
        with self._lock:
            now = self._clock()
            level, since = self._buckets.get(agreement.name, (float(rate), now))
            level = min(float(rate), level + (now - since) * rate)
            enough = level >= 1
            self._buckets[agreement.name] = (level - 1 if enough else level, now)
        if not enough:
            raise TooManyRequests(
                f"the agreement allows {rate} requests a second", math.ceil((1 - level) / rate)
            )


class DayLimit:
    """Requests of each agreement in the present Vietnamese day.

    Each process counts on from what the log holds when it first serves an agreement that day.

    Args:
        clock: the present moment, with time zone.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(VIETNAM)) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, date], int] = {}

    def take(self, connection: Connection, agreement: Agreement) -> None:
        """Count one request.

        Raises:
            TooManyRequests: when the day's are used up.
        """
        now = self._clock().astimezone(VIETNAM)
        key = self._counted(connection, agreement, now.date())
        with self._lock:
            enough = self._counts[key] < agreement.limits.per_day
            self._counts[key] += enough
        if not enough:
            left = _midnight(now.date() + timedelta(days=1)) - now
            raise TooManyRequests(
                f"the agreement allows {agreement.limits.per_day} requests a day",
                math.ceil(left.total_seconds()),
            )

    def left(self, connection: Connection, agreement: Agreement) -> int:
        """Return how many requests are left today; taking none."""
        key = self._counted(connection, agreement, self._clock().astimezone(VIETNAM).date())
        with self._lock:
            return agreement.limits.per_day - self._counts[key]

    def _counted(self, connection: Connection, agreement: Agreement, day: date) -> tuple[str, date]:
        key = agreement.name, day
        if key not in self._counts:
            logged = _logged(connection, agreement, _midnight(day))
            with self._lock:
                self._counts.setdefault(key, logged)
        return key


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=VIETNAM)


def _logged(connection: Connection, agreement: Agreement, since: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select audit.entry_count(%s, %s)", (agreement.name, since))
        row = cursor.fetchone()
    return int(row[0]) if row else 0
