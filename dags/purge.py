"""`purge`: purges data whose retention period has ended, and records proofs.

`oncehub retention status` shows what is due. If it fails, whole batches are gone, each with its proof, and
the next run goes on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from oncehub.airflow.pools import DATABASE
from oncehub.airflow.schedule import due, one_at_a_time
from oncehub.settings import load_settings


@task
def purge_due() -> dict[str, Any]:
    """Purge what is due; return the counts for XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.share.retention.purge import purge

    with clear_failures():
        return counted(purge(load_settings()))


@dag(
    dag_id="purge",
    dag_display_name="Purge expired data",
    schedule=due("30 4 * * *"),
    tags=["oncehub", "retention"],
    doc_md=__doc__,
    **one_at_a_time(task=timedelta(hours=6), run=timedelta(hours=12), pool=DATABASE),
)
def purge_dag() -> None:
    """Define the DAG."""
    purge_due()


purge_dag()
