"""`publish_<feed>`, one DAG a feed: brings what an agency receives up to what is believed."""

# ruff: noqa: PLC0415 - the steps are imported when a task runs, never while the file is parsed

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from oncehub.model.catalogue import load_folder
from oncehub.model.settings import load_settings
from oncehub.model.sharing import Agreement
from oncehub.orchestrate.assets import TRUTH
from oncehub.orchestrate.schedule import ONE_AT_A_TIME


@task
def publish(feed: str) -> dict[str, Any]:
    """Publish the changes since the last time; the counts go on to XCom."""
    import oncehub.share
    from oncehub.orchestrate.failures import clear_failures
    from oncehub.orchestrate.task_log import counted

    with clear_failures():
        return counted(oncehub.share.publish(load_settings(), feed))


def publish_dag(feed: str, agency: str) -> None:
    """Define the DAG of one feed."""

    @dag(
        dag_id=f"publish_{feed}",
        dag_display_name=f"Publish {feed}: {agency}",
        schedule=[TRUTH],
        tags=["oncehub", "feed"],
        **ONE_AT_A_TIME,
    )
    def define() -> None:
        publish(feed)

    define()


for agreement in load_folder(load_settings().mappings / "agreements", Agreement):
    if agreement.feed:
        publish_dag(agreement.feed, agreement.agency.name)
