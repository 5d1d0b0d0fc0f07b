"""`checkpoint`: signs the access log, and fails when a checkpoint is overdue."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from oncehub.airflow.schedule import ONE_AT_A_TIME
from oncehub.settings import load_settings


@task
def sign_entries() -> dict[str, Any]:
    """Sign the entries since the last checkpoint; the counts go to XCom."""
    from airflow.sdk.exceptions import AirflowException

    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.audit.signing.checkpoints import OVERDUE_SECONDS, write_checkpoints

    with clear_failures():
        report = write_checkpoints(load_settings())
    if report.unsigned_seconds > OVERDUE_SECONDS:
        raise AirflowException(
            f"the oldest entry of the access log has been unsigned for {report.unsigned_seconds:.0f} s, "
            "because an older transaction is still open"
        )
    return counted(report)


@dag(
    dag_id="checkpoint",
    dag_display_name="Sign the access log",
    schedule="*/5 * * * *",
    tags=["oncehub", "audit"],
    **ONE_AT_A_TIME,
)
def checkpoint_dag() -> None:
    """Define the DAG."""
    sign_entries()


checkpoint_dag()
