"""`purge`: purges what its retention has ended for, and leaves proof of it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from oncehub.airflow.schedule import ONE_AT_A_TIME, VIETNAM
from oncehub.settings import load_settings


@task
def purge_due() -> dict[str, Any]:
    """Purge what has come to be due; the counts go on to XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.share.retention.purge import purge

    with clear_failures():
        return counted(purge(load_settings()))


@dag(
    dag_id="purge",
    dag_display_name="Purge what is kept no longer",
    schedule=CronTriggerTimetable("30 4 * * *", timezone=VIETNAM),
    tags=["oncehub", "retention"],
    **ONE_AT_A_TIME,
)
def purge_dag() -> None:
    """Define the DAG."""
    purge_due()


purge_dag()
