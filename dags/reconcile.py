"""`reconcile`: links landed records to people, updates golden records and finds discrepancies.

New records of any stream trigger it; `oncehub reconcile` does the same by hand. If it fails, the next run
goes on where it stopped. `finish` shows whether the books add up. See the runbook, `reconcile_late`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAny, dag, task

from oncehub.airflow.assets import TRUTH, records
from oncehub.airflow.links import BALANCE, CASES, linked
from oncehub.airflow.notifier import told_after
from oncehub.airflow.pools import DATABASE
from oncehub.airflow.schedule import one_at_a_time
from oncehub.config.catalogue import load_connectors
from oncehub.settings import load_settings

_SHARD = "people {{ task.op_kwargs['shard']['number'] + 1 }} of {{ task.op_kwargs['shard']['of'] }}"


@task
def link() -> list[dict[str, int]]:
    """Link all dirty records; return the shards of the people to settle for XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.reconcile.run import MOST_SHARDS, link_changes
    from oncehub.reconcile.shards import shards_for

    with clear_failures():
        linked = link_changes(load_settings())
        counted(linked)
    return [asdict(shard) for shard in shards_for(linked.pending, MOST_SHARDS)]


@task
def settle(shard: dict[str, int]) -> dict[str, Any]:
    """Settle one shard of the people whose links changed; return the counts for XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.reconcile.run import settle_people
    from oncehub.reconcile.shards import Shard

    with clear_failures():
        return counted(settle_people(load_settings(), Shard(**shard)))


@task(outlets=[TRUTH])
def finish(outlet_events: Any = None, ti: Any = None) -> dict[str, Any]:
    """Close the run, and trigger the feeds' DAGs once; the links Balance and Cases lead to what it left."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.reports import balance_report, cases_report, keep
    from oncehub.reconcile.run import finish_run

    with clear_failures():
        settings = load_settings()
        balance = finish_run(settings)
        keep(ti, balance=balance_report(balance), cases=cases_report(settings))
    closed = {"run": balance.run_id, "adds_up": balance.adds_up}
    if outlet_events is not None:
        outlet_events[TRUTH].extra = closed
    return closed


def reconcile_dag() -> None:
    """Define the DAG: new records of any stream trigger it."""
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
        doc_md=__doc__,
        deadline=told_after(timedelta(hours=4)),
        **one_at_a_time(task=timedelta(hours=12), run=timedelta(hours=24), pool=DATABASE),
    )
    def define() -> None:
        (
            settle.override(map_index_template=_SHARD, doc_md=settle.function.__doc__).expand(shard=link())
            >> linked(finish(), BALANCE, CASES)
        )

    define()


reconcile_dag()
