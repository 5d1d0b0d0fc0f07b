"""`sync_<source>`, one DAG for each connector: reads the source and lands its records.

A task for each stream. Started by hand it takes the parameters `full` (read everything), or `since` and
`until` (read a window again, without moving the cursor). If it fails, what has landed stays, and the next
run resumes behind it. See the runbook, `run_failing` and `stream_stale`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from oncehub.airflow.assets import records
from oncehub.airflow.links import QUARANTINE, linked
from oncehub.airflow.notifier import told_after
from oncehub.airflow.pools import source_pool
from oncehub.airflow.schedule import due, one_at_a_time
from oncehub.config.catalogue import load_connectors
from oncehub.config.connector import Connector
from oncehub.settings import load_settings

_WINDOW = "Read only the changes in a window, without moving the cursor"
_BOUND = "2026-01-31, 2026-01-31T08:00+07:00, or a sequence number"


@task
def land(
    source: str,
    stream: str,
    params: dict[str, Any] | None = None,
    *,
    dag_run: Any = None,
    outlet_events: Any = None,
    ti: Any = None,
) -> dict[str, int]:
    """Land one stream, or a window of it with `since` and `until`; return the counts for XCom.

    The link Quarantine leads to the reasons for which records of the stream wait.
    """
    from oncehub.airflow.backfill import backfill_asked
    from oncehub.airflow.connections import airflow_connection
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.reports import keep, quarantine_report
    from oncehub.airflow.task_log import landed
    from oncehub.config.catalogue import load_connector
    from oncehub.intake.sync import sync

    settings = load_settings()
    with clear_failures(begun=dag_run and dag_run.start_date):
        connector = load_connector(settings, source)
        asked = params or {}
        runs = sync(
            settings,
            connector,
            airflow_connection(source) if stream in connector.streams else None,
            streams=[stream],
            full=bool(asked.get("full")),
            backfill=backfill_asked(connector, stream, asked, dag_run),
        )
        keep(ti, quarantine=quarantine_report(settings, source, stream))
    counts = landed(runs)
    if outlet_events is not None:
        outlet_events[records(source, stream)].extra = counts
    return counts


def sync_dag(connector: Connector) -> None:
    """Define the DAG of one connector: a task and an asset for each stream, run in parallel."""

    @dag(
        dag_id=f"sync_{connector.source}",
        dag_display_name=f"Sync: {connector.title}",
        schedule=due(connector.schedule),
        params={
            "full": Param(False, type="boolean", description="Read everything, not only what changed"),
            "since": Param(None, type=["null", "string"], description=f"{_WINDOW}, from here: {_BOUND}"),
            "until": Param(None, type=["null", "string"], description=f"{_WINDOW}, to here: {_BOUND}"),
        },
        tags=["oncehub", "sync"],
        doc_md=__doc__,
        deadline=told_after(timedelta(hours=4)),
        **one_at_a_time(
            task=timedelta(hours=12), run=timedelta(hours=36), pool=source_pool(connector.source)
        ),
    )
    def define() -> None:
        for stream in connector.landed:
            outlet = records(connector.source, stream)
            task = land.override(task_id=f"land_{stream}", outlets=[outlet])
            linked(task(connector.source, stream), QUARANTINE)

    define()


for each in load_connectors(load_settings()).values():
    sync_dag(each)
