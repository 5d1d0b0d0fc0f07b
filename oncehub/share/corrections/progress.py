"""Measures how each source handles its correction notices: what it fetched, corrected, and how fast."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extras import RealDictCursor

from oncehub.store.connection import Connection
from oncehub.store.statements import statement


@dataclass(frozen=True)
class SourceProgress:
    """The progress of one source, over the discrepancies that its agreement covers.

    Attributes:
        open: discrepancies it was notified of that have not closed.
        published: sequence of its last line.
        fetched: every line up to it was given out.
        acknowledged: every line up to it the source says it keeps.
        oldest_unacknowledged: when the first line above that was published.
        uncorrected: acknowledged, and open still.
        oldest_uncorrected: when the oldest of them was published.
        accepted: open ones that the source says are right; `in_progress` and `rejected` likewise.
        corrected: discrepancies that the source has closed by stating another value.
        median_days: days from fetching to closing, median.
        p90_days: 90th percentile.
        median_days_open: days from opening to closing, median.
        p90_days_open: 90th percentile.
    """

    source: str
    open: int
    published: int
    fetched: int
    acknowledged: int
    oldest_unacknowledged: datetime | None
    uncorrected: int
    oldest_uncorrected: datetime | None
    accepted: int
    in_progress: int
    rejected: int
    corrected: int
    median_days: float | None
    p90_days: float | None
    median_days_open: float | None
    p90_days_open: float | None


def correction_progress(connection: Connection, sources: Collection[str]) -> list[SourceProgress]:
    """Return the progress of each of the sources, by name."""
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement(__name__, "progress").format(), (list(sources),))
        return [SourceProgress(**row) for row in cursor.fetchall()]
