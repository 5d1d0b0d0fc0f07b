"""`check_<source>`, one DAG for each connector: tries the connection of a source without landing anything.

Start it by hand after a change of the connection `oncehub_<source>`. Each stream's task reads a first page,
maps it and asks for what follows, as `oncehub connector check` does; it fails with what is wrong.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from oncehub.airflow.pools import source_pool
from oncehub.airflow.schedule import one_at_a_time
from oncehub.config.catalogue import load_connectors
from oncehub.config.connector import Connector
from oncehub.settings import load_settings


@task
def check(source: str, stream: str) -> dict[str, Any]:
    """Try to read one stream; return how many records its first page has, and how many can be landed."""
    from oncehub.airflow.connections import airflow_connection
    from oncehub.airflow.failures import clear_failures
    from oncehub.airflow.hook import try_stream
    from oncehub.config.catalogue import load_connector
    from oncehub.connect.source import Source

    settings = load_settings()
    with clear_failures():
        connector = load_connector(settings, source)
        with Source(connector, airflow_connection(source)) as reading:
            found = try_stream(settings, reading, connector, stream)
    return {"read": found.read, "can_be_landed": found.meets}


def check_dag(connector: Connector) -> None:
    """Define the DAG of one connector."""

    @dag(
        dag_id=f"check_{connector.source}",
        dag_display_name=f"Check the connection: {connector.title}",
        schedule=None,
        tags=["oncehub", "check"],
        doc_md=__doc__,
        **one_at_a_time(
            task=timedelta(minutes=10), run=timedelta(hours=1), pool=source_pool(connector.source)
        ),
    )
    def define() -> None:
        for stream in connector.streams:
            check.override(task_id=f"check_{stream}", retries=0)(connector.source, stream)

    define()


for each in load_connectors(load_settings()).values():
    check_dag(each)
