"""What the API counts and times, summed over its processes, for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, Final

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

# From a look-up's usual 5 ms to the 10 s after which the database cuts a statement off.
_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Keep the counts of all processes forked meanwhile in one temporary folder, whose files they map.

    `prometheus_client` reads the folder's name when it is imported: until then no module may import it.
    """
    with TemporaryDirectory(prefix="oncehub-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def forget_process(pid: int) -> None:
    """Drop what an ended process had open; what it counted stays."""
    if FOLDER in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess

        self._registry = CollectorRegistry()
        registry: Any = None if FOLDER in os.environ else self._registry
        if registry is None:
            multiprocess.MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        self._requests = Histogram(
            "oncehub_api_request_seconds",
            "Requests by declared path and status, and how long they took.",
            ("method", "path", "status"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._outcomes = Counter(
            "oncehub_api_outcomes",
            "Requests with a line in the access log, by what they asked for and how they ended.",
            ("agreement", "action", "outcome"),
            registry=registry,
        )
        self._in_use = Gauge(
            "oncehub_api_database_connections_in_use",
            "Database connections in use.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._most = Gauge(
            "oncehub_api_database_connections",
            "Database connections that may be in use at once.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def note_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Note an answered request.

        Args:
            method: a standard one.
            path: as declared, without a value of the caller's.
            status: of the answer.
            seconds: it took.
        """
        self._requests.labels(method, path, str(status)).observe(seconds)

    def note_outcome(self, agreement: str, action: str, outcome: str) -> None:
        """Note a request whose lines in the access log are committed."""
        self._outcomes.labels(agreement, action, outcome).inc()

    def note_pool(self, most: int) -> None:
        """Note that this process may use so many database connections at once."""
        self._most.set(most)

    def note_in_use(self, change: int) -> None:
        """Note that one more database connection is in use (1), or one less (-1)."""
        self._in_use.inc(change)

    def text(self) -> tuple[bytes, str]:
        """Return everything in Prometheus' format, and its media type."""
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST
