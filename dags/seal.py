"""`seal`: seals the access log, and fails loudly when that has fallen behind."""

# ruff: noqa: PLC0415 - the steps are imported when a task runs, never while the file is parsed

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from oncehub.airflow.schedule import ONE_AT_A_TIME
from oncehub.settings import load_settings


@task
def seal_log() -> dict[str, Any]:
    """Seal what was logged since the last time; the counts go on to XCom."""
    from airflow.sdk.exceptions import AirflowException

    import oncehub.audit
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted

    with clear_failures():
        report = oncehub.audit.seal(load_settings())
    if report.unsealed_seconds > oncehub.audit.OVERDUE_SECONDS:
        waited = f"{report.unsealed_seconds:.0f} s"
        raise AirflowException(
            f"the access log waits for its seal since {waited}: an older transaction is open"
        )
    return counted(report)


@dag(
    dag_id="seal",
    dag_display_name="Seal the access log",
    schedule="*/5 * * * *",
    tags=["oncehub", "audit"],
    **ONE_AT_A_TIME,
)
def seal_dag() -> None:
    """Define the DAG."""
    seal_log()


seal_dag()
