"""How the hub's DAGs are scheduled, bounded in time and retried, and what a failed task sends."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any, Final

from airflow.sdk import CronTriggerTimetable
from croniter import croniter

from oncehub.airflow.notifier import TaskFailed
from oncehub.airflow.retries import OUTAGE, Retries
from oncehub.clock import VIETNAM

_LOOKED_AT: Final = 60
"""Runs among which the longest interval is looked for: those of every day in a month and more."""


def due(cron: str) -> CronTriggerTimetable:
    """Return the timetable of a cron expression in Vietnam, whose data intervals reach to the run before.

    Airflow's backfill takes these intervals. Where runs lie unevenly, they overlap.
    """
    start = datetime(2026, 1, 1, tzinfo=VIETNAM)
    following = croniter(cron, start)
    moments = [following.get_next(datetime) for _ in range(_LOOKED_AT)]
    longest = max(later - earlier for earlier, later in itertools.pairwise(moments))
    return CronTriggerTimetable(cron, timezone=VIETNAM.key, interval=longest)


def one_at_a_time(*, task: timedelta, run: timedelta, pool: str | None = None) -> dict[str, Any]:
    """Return the arguments that all DAGs have in common.

    A run continues at the cursor: missed runs need no catch-up, and a second run at once would only wait.

    Args:
        task: how long a try of a task may take; it is then killed and tried again, and loses at most a batch.
        run: how long a run may take with all its tries, and all times for which a source has it postponed.
        pool: of all tasks; None is Airflow's own.
    """
    return {
        "max_active_runs": 1,
        "catchup": False,
        "dagrun_timeout": run,
        "default_args": {
            "owner": "oncehub",
            "execution_timeout": task,
            "retries": len(OUTAGE),
            # For a worker that was killed; errors of the hub say themselves when to try again.
            "retry_delay": timedelta(minutes=1),
            "retry_policy": Retries(),
            "on_failure_callback": TaskFailed(),
            **({"pool": pool} if pool else {}),
        },
    }
