"""`publish_<feed>`, one DAG for each agreement: publishes changed golden records to the agency's feed.

Each update of the golden records triggers it; `oncehub publish` does the same by hand. If it fails, the
next run publishes all that waits. The DAG of an agreement with correction notices only is
`publish_corrections_<source>`. See the runbook, `publish_late`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from oncehub.airflow.assets import TRUTH
from oncehub.airflow.pools import DATABASE
from oncehub.airflow.schedule import one_at_a_time
from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_folder
from oncehub.settings import load_settings


@task
def publish(feed: str) -> dict[str, Any]:
    """Publish the changes since the last run; return the counts for XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.share.feeds import entries

    with clear_failures():
        return counted(entries.publish(load_settings(), feed))


@task
def publish_corrections(source: str) -> dict[str, Any]:
    """Publish a source's correction notices; return the counts for XCom."""
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.task_log import counted
    from oncehub.share.corrections import publish_notices as corrections

    with clear_failures():
        return counted(corrections.publish_corrections(load_settings(), source))


def publish_dag(agreement: Agreement, name: str, source: str | None) -> None:
    """Define the DAG of one agreement: its feed, and the correction notices to its source."""

    @dag(
        dag_id=f"publish_{name}",
        dag_display_name=f"Publish {name}: {agreement.agency.name}",
        schedule=[TRUTH],
        tags=["oncehub", "feed"],
        doc_md=__doc__,
        **one_at_a_time(task=timedelta(hours=2), run=timedelta(hours=6), pool=DATABASE),
    )
    def define() -> None:
        if agreement.feed:
            publish(agreement.feed)
        if source:
            publish_corrections(source)

    define()


for agreed in load_folder(load_settings().mappings / "agreements", Agreement):
    corrected = agreed.corrections.source if agreed.corrections else None
    if named := agreed.feed or (corrected and f"corrections_{corrected}"):
        publish_dag(agreed, named, corrected)
