"""`coverage`: measures once a day how much of each procedure's form the hub fills.

`oncehub procedures coverage` shows the figures. If it fails, the day has none; nothing else depends on it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task

from oncehub.airflow.pools import DATABASE
from oncehub.airflow.schedule import due, one_at_a_time
from oncehub.settings import load_settings


@task
def measure() -> dict[str, int]:
    """Record the day's figures of every procedure; return the numbers of procedures and people for XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.share.coverage.measure import record_day

    with clear_failures():
        measured = record_day(load_settings())
    return {"procedures": len(measured), "people": max((each.people for each in measured), default=0)}


@dag(
    dag_id="coverage",
    dag_display_name="Measure coverage",
    # After the nightly syncs and reconciling.
    schedule=due("0 6 * * *"),
    tags=["oncehub", "share"],
    doc_md=__doc__,
    **one_at_a_time(task=timedelta(hours=2), run=timedelta(hours=4), pool=DATABASE),
)
def coverage_dag() -> None:
    """Define the DAG."""
    measure()


coverage_dag()
