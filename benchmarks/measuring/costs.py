"""Measures a block of code: elapsed time, and processor time of a server and of this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.measuring.server import Server


@dataclass(frozen=True)
class Cost:
    """Seconds of elapsed time, and of processor time of the database and of this process."""

    seconds: float
    database: float
    process: float

    @property
    def processor(self) -> float:
        """Processor time of both."""
        return self.database + self.process


@contextmanager
def costing(server: Server) -> Iterator[Callable[[], Cost]]:
    """Yield a function that returns the cost of the block once it has ended."""
    taken: list[Cost] = []
    clocks = (time.perf_counter, server.processor_seconds, time.process_time)
    begun = [clock() for clock in clocks]
    yield lambda: taken[0]
    taken.append(Cost(*(clock() - start for clock, start in zip(clocks, begun, strict=True))))
