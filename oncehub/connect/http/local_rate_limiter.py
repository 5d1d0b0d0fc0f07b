"""The rate limit of a source within one process; `shared_rate_limiter` keeps it across processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import BoundedSemaphore, Lock
from typing import Protocol

from oncehub.config.access import Limits
from oncehub.connect.http.failures import TryAgain

Pause = Callable[[float], None]
"""Waits so many seconds; may raise when reading was given up."""

LONGEST_SUSPENSION = 86_400.0
"""Seconds; a source that asks for more is asked again after a day."""

_POLL_SECONDS = 0.1


class RateLimiter(Protocol):
    """Decides when requests to one source may begin; all its readers share one."""

    def turn(self, pause: Pause) -> AbstractContextManager[None]:
        """Enter when the rate and `limits.concurrency` allow a request; leave when it was answered.

        Raises:
            TryAgain: when the source has asked to wait for longer than `limits.longest_wait`.
        """

    def suspend(self, seconds: float) -> None:
        """Let no request begin for so long, at most `LONGEST_SUSPENSION`: the source asked to wait."""


def check_suspension(seconds: float, limits: Limits) -> None:
    """Check how many seconds the source still asks to wait.

    Raises:
        TryAgain: when that is longer than `limits.longest_wait`.
    """
    if seconds > limits.longest_wait.total_seconds():
        raise TryAgain("the source has asked to wait", retry_after=seconds)


class LocalRateLimiter:
    """A token bucket and a bound of concurrent requests, for the threads of one process.

    The bucket is stored as the time at which it would be full again (the generic cell rate algorithm):
    `limits.burst` requests may begin at once after a pause, then one each `1 / limits.requests` seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._interval = 1 / limits.requests
        self._slack = (limits.burst - 1) * self._interval
        self._slots = BoundedSemaphore(limits.concurrency)
        self._clock = clock
        self._lock = Lock()
        self._next = float("-inf")
        self._suspended_until = float("-inf")

    @contextmanager
    def turn(self, pause: Pause) -> Iterator[None]:
        """Enter when a request may begin; leave when it was answered."""
        while not self._slots.acquire(timeout=_POLL_SECONDS):
            pause(0)
        try:
            self._wait(pause)
            yield
        finally:
            self._slots.release()

    def suspend(self, seconds: float) -> None:
        """Let no request begin for so long."""
        with self._lock:
            until = self._clock() + min(seconds, LONGEST_SUSPENSION)
            self._suspended_until = max(self._suspended_until, until)

    def _wait(self, pause: Pause) -> None:
        begin = self._token(pause)
        # A suspension that began during the pause outlasts this token: wait for another one.
        while begin < self._suspended_until:
            begin = self._token(pause)

    def _token(self, pause: Pause) -> float:
        with self._lock:
            now = self._clock()
            check_suspension(self._suspended_until - now, self._limits)
            free = max(now, self._suspended_until)
            begin = max(free, self._next - self._slack)
            self._next = max(free, self._next) + self._interval
        if begin > now:
            pause(begin - now)
        return begin
