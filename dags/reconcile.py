"""`reconcile`: links, believes and compares what has landed, whenever something has."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from airflow.sdk import AssetAny, dag, task

from oncehub.airflow.assets import TRUTH, records
from oncehub.airflow.schedule import ONE_AT_A_TIME
from oncehub.config.catalogue import load_connectors
from oncehub.settings import load_settings


@task
def link() -> list[dict[str, int]]:
    """Link all dirty records; the parts in which to settle the people they touch go on to XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.reconcile.run import PARTS, link_changes
    from oncehub.reconcile.shards import parts_for

    with clear_failures():
        linked = link_changes(load_settings())
        counted(linked)
    return [asdict(part) for part in parts_for(linked.pending, PARTS)]


@task
def settle(part: dict[str, int]) -> dict[str, Any]:
    """Believe and compare anew one part of the people that linking touched; the counts go on to XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.reconcile.run import settle_people
    from oncehub.reconcile.shards import Part

    with clear_failures():
        return counted(settle_people(load_settings(), Part(**part)))


@task(outlets=[TRUTH])
def finish() -> dict[str, Any]:
    """Sign the run off, and tell the feeds, once, that what is believed has changed."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.reconcile.run import finish_run

    with clear_failures():
        control = finish_run(load_settings())
    return {"run": control.run_id, "adds_up": control.adds_up}


def reconcile_dag() -> None:
    """Define the DAG: any stream's records start it."""
    landed = [
        records(connector.source, stream)
        for connector in load_connectors(load_settings()).values()
        for stream in connector.landed
    ]

    @dag(
        dag_id="reconcile",
        dag_display_name="Reconcile",
        schedule=AssetAny(*landed),
        tags=["oncehub"],
        **ONE_AT_A_TIME,
    )
    def define() -> None:
        settle.expand(part=link()) >> finish()

    define()


reconcile_dag()
