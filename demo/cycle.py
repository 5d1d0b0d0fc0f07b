"""One cycle of the pipeline under Airflow: every source read, all of it reconciled, every feed published."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extras import RealDictCursor

from demo.airflow.rest import DagRun
from demo.failure import DemoFailed
from demo.progress import Progress
from demo.stage import Stage
from oncehub.store.connection import Connection

_POLL_SECONDS = 0.5

_LAST_RUN = "select coalesce(max(run_id), 0) as last from intake.run"
_COUNTS = """
select source, sum(read)::bigint as read, sum(accepted)::bigint as accepted,
    sum(quarantined)::bigint as quarantined, sum(unchanged)::bigint as unchanged,
    sum(deleted)::bigint as deleted
from intake.run
where run_id > %s
group by source
order by source
"""
_DIRTY = "select count(*) as dirty from intake.dirty"

Counts = dict[str, dict[str, int]]
"""By source: read, accepted, quarantined, unchanged, deleted."""


@dataclass(frozen=True)
class Cycle:
    """What one cycle did; `seconds` is measured from the first trigger to the last feed."""

    sources: Counts
    runs: tuple[DagRun, ...]
    seconds: float


def run_cycle(stage: Stage, progress: Progress) -> Cycle:
    """Trigger every `sync_<source>` and wait until no DAG runs and no asset event is queued.

    Raises:
        DemoFailed: when a DAG run fails, a component dies, or records stay dirty.
    """
    start = time.monotonic()
    before = {run.run_id for run in stage.airflow_client.runs()}
    last = int(_rows(stage.database, _LAST_RUN)[0]["last"])
    triggered = [stage.airflow_client.trigger(f"sync_{source}") for source in stage.sources]
    while True:
        counts = _counts(stage.database, last)
        progress.say(_shown(counts))
        if _all_ended(stage, triggered) and not _anything_busy(stage):
            break
        stage.components.require_alive()
        time.sleep(_POLL_SECONDS)
    runs = tuple(
        run
        for run in stage.airflow_client.runs()
        if run.run_id not in before and run.dag_id in stage.cycle_dag_ids
    )
    _require_success(stage, runs)
    if dirty := _rows(stage.database, _DIRTY)[0]["dirty"]:
        raise DemoFailed(f"{dirty} records are still to be reconciled, although all DAG runs succeeded")
    return Cycle(_counts(stage.database, last), runs, time.monotonic() - start)


def _all_ended(stage: Stage, triggered: Sequence[DagRun]) -> bool:
    runs = [stage.airflow_client.run(run) for run in triggered]
    _require_success(stage, [run for run in runs if run.ended])
    return all(run.ended for run in runs)


def _anything_busy(stage: Stage) -> bool:
    """Check each DAG after the DAGs that trigger it, so that no event between them is missed."""
    downstream = ["reconcile", *(f"publish_{feed}" for feed in stage.feeds)]
    return any(stage.airflow_client.busy(dag_id) for dag_id in downstream)


def _require_success(stage: Stage, runs: Sequence[DagRun]) -> None:
    for run in runs:
        if run.state != "success":
            why = stage.airflow_client.why(run) if run.ended else "it has not ended"
            raise DemoFailed(f"the DAG run of {run.dag_id} is {run.state}: {why}")


def _counts(database: Connection, last: int) -> Counts:
    return {str(row.pop("source")): row for row in _rows(database, _COUNTS, last)}


def _rows(database: Connection, statement: str, *values: int) -> list[dict[str, int]]:
    with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement, values)
        return [dict(row) for row in cursor.fetchall()]


def _shown(counts: Counts) -> str:
    return f"{sum(count['read'] for count in counts.values()):,} records read, of {len(counts)} sources"
