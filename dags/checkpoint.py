"""`checkpoint`: signs the access log, and fails when a checkpoint is overdue.

Runs every five minutes, as `oncehub audit checkpoint` does by hand. If it fails, nothing is lost: the next
run signs all that waits. While lines wait for too long, the API refuses look-ups. See the runbook,
`log_unsigned`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from oncehub.airflow.schedule import one_at_a_time
from oncehub.settings import load_settings


# Where there are several workers, the one of this queue alone has the signing key.
@task(queue="signing")
def sign_entries() -> dict[str, Any]:
    """Sign the entries since the last checkpoint; the counts go to XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.audit.signing.checkpoints import OVERDUE_SECONDS, write_checkpoints
    from oncehub.errors import LogUnsigned

    with clear_failures():
        report = write_checkpoints(load_settings())
        if report.unsigned_seconds > OVERDUE_SECONDS:
            raise LogUnsigned(
                f"the oldest entry of the access log has been unsigned for {report.unsigned_seconds:.0f} s, "
                "because an older transaction is still open"
            )
    return counted(report)


@dag(
    dag_id="checkpoint",
    dag_display_name="Sign the access log",
    schedule="*/5 * * * *",
    tags=["oncehub", "audit"],
    doc_md=__doc__,
    **one_at_a_time(task=timedelta(minutes=10), run=timedelta(minutes=30)),
)
def checkpoint_dag() -> None:
    """Define the DAG."""
    sign_entries()


checkpoint_dag()
