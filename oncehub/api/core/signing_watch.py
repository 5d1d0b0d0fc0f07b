"""Stops look-ups while the access log is not signed: every disclosure must be provable later."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from oncehub.errors import ConfigError, LogUnsigned
from oncehub.store.connection import Connection

LONGEST_SECONDS: Final = 14_400
"""How long an entry may be unsigned unless `ONCEHUB_UNSIGNED_SECONDS` gives another limit.

As X-Road's `acceptable-timestamp-failure-period` (UG-SYSPAR), four hours.
"""

_RECHECK_SECONDS: Final = 5.0

_WAITED: Final = "select extract(epoch from clock_timestamp() - audit.oldest_unsigned())"


class CheckpointWatch:
    """Knows, to a few seconds, how long the oldest entry has been unsigned.

    Args:
        longest: seconds that an entry may be unsigned.
        clock: monotonic seconds.
    """

    def __init__(self, longest: float = LONGEST_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
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
    text = os.environ.get("ONCEHUB_UNSIGNED_SECONDS") or str(LONGEST_SECONDS)
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError("ONCEHUB_UNSIGNED_SECONDS must be a whole number of seconds, at least 1")
    return CheckpointWatch(int(text))
