"""The pace of requests that a source can bear."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

Pause = Callable[[float], None]
"""Waits so many seconds; may raise when reading was given up."""


class RateLimit:
    """Lets at most `per_second` requests begin in a second, evenly spaced; shared by threads."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._lock = Lock()
        self._next = float("-inf")

    def wait(self, pause: Pause) -> None:
        """Return when the next request may begin."""
        with self._lock:
            now = self._clock()
            begin = max(now, self._next)
            self._next = begin + self._interval
        if begin > now:
            pause(begin - now)
