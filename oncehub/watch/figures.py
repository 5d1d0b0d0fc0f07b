"""The hub's figures: how far each step has come, and how much waits; never anybody's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from oncehub.audit.signing.checkpoints import unsigned_seconds
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened
from oncehub.store.statements import statement

_FIGURES: Final = statement(__name__, "figures")

# A figure that another process keeps waiting is itself a finding.
_BOUNDS: Final = "set local lock_timeout = '10s'; set local statement_timeout = '60s'"

HELP: Final[Mapping[str, str]] = {
    "stream_success_timestamp_seconds": "When the last successful run of a stream ended.",
    "stream_failing_seconds": "Time since the first failed run after the last success.",
    "run_silent_seconds": "Time since a running read has landed a page.",
    "run_records": "Records of a stream's last run, by outcome.",
    "quarantined_records": "Rejected records that wait for a fix.",
    "reconcile_waiting_records": "Changes of records that wait for reconcile; several of one record count.",
    "reconcile_waiting_seconds": "Time since the oldest of them began to land.",
    "reconcile_success_timestamp_seconds": "When the last run of reconcile was closed.",
    "open_discrepancies": "Open discrepancies after the last run of reconcile.",
    "open_cases": "Cases that wait for a clerk.",
    "oldest_case_seconds": "Age of the oldest open case.",
    "publish_waiting_seconds": "Age of the oldest change that is not published to a feed.",
    "consumer_unacknowledged_entries": "Entries of a feed that a client has not acknowledged.",
    "consumer_behind_seconds": "Age of the oldest entry that a client has not acknowledged.",
    "log_unsigned_seconds": "Age of the oldest line of the access log without a checkpoint.",
    "hub_made_timestamp_seconds": "When the hub's database was made.",
    "database_bytes": "Size of the hub's database.",
    "now_timestamp_seconds": "The database's clock.",
    "disk_free_ratio": "Free share of a watched disk.",
    "alarm": "1 while an alarm is raised; its text is in the log of `oncehub watch`.",
    "notification_failures": "Notifications that reached nobody since the watch began.",
}
"""What each figure means; Prometheus shows it. Their names begin with `oncehub_` there."""


@dataclass(frozen=True)
class Figure:
    """One number about the hub.

    Attributes:
        name: one of `HELP`.
        value: in the unit of its name.
        labels: what it is about.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def read_figures(settings: Settings, given: Connection | None = None) -> list[Figure]:
    """Read every figure that the database holds, as of one moment.

    Raises:
        OncehubError: The database does not answer, or refuses its use.
    """
    with opened(settings, given) as connection:
        unsigned = unsigned_seconds(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute(_BOUNDS)
            cursor.execute(_FIGURES)
            figures = [Figure(name, value, labels) for name, labels, value in cursor.fetchall()]
    return [*figures, Figure("log_unsigned_seconds", unsigned)]
