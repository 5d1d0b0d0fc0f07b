"""`reconcile`: links, believes and compares what has landed, whenever something has."""

# ruff: noqa: PLC0415 - the steps are imported when a task runs, never while the file is parsed

from __future__ import annotations

from typing import Any

from airflow.sdk import AssetAny, dag, task

from oncehub.model.catalogue import load_connectors
from oncehub.model.settings import load_settings
from oncehub.orchestrate.assets import TRUTH, records
from oncehub.orchestrate.schedule import ONE_AT_A_TIME


@task(outlets=[TRUTH])
def reconcile() -> dict[str, Any]:
    """Reconcile all dirty records; the counts go on to XCom."""
    import oncehub.reconcile
    from oncehub.orchestrate.failures import clear_failures
    from oncehub.orchestrate.task_log import counted

    with clear_failures():
        return counted(oncehub.reconcile.reconcile(load_settings()))


def reconcile_dag() -> None:
    """Define the DAG: any stream's records start it."""
    landed = [
        records(connector.source, stream)
        for connector in load_connectors(load_settings()).values()
        for stream in connector.streams
    ]

    @dag(
        dag_id="reconcile",
        dag_display_name="Reconcile",
        schedule=AssetAny(*landed),
        tags=["oncehub"],
        **ONE_AT_A_TIME,
    )
    def define() -> None:
        reconcile()

    define()


reconcile_dag()
