"""The window of a source that a DAG run reads again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from oncehub.config.connector import Connector, SequenceChanges
from oncehub.connect.stream.window import Window
from oncehub.intake.runs.backfill import window_asked
from oncehub.intake.runs.cursor import changes_of


def backfill_asked(
    connector: Connector, stream: str, params: Mapping[str, Any], dag_run: Any = None
) -> Window | None:
    """Return the window that a DAG run is to read again; None where it reads what is new.

    Args:
        connector: of the source.
        stream: its name.
        params: of the run; `since` and `until` bound the window.
        dag_run: of Airflow's own backfill, the data interval is the window.

    Raises:
        ConfigError: when the stream cannot be read for that window.
        AirflowSkipException: when the stream cannot be read for any window; other streams of its source may.
    """
    since, until = params.get("since"), params.get("until")
    changes = changes_of(connector, stream) if stream in connector.streams else None
    if not (since or until) and dag_run is not None and dag_run.run_type == "backfill":
        since, until = dag_run.data_interval_start.isoformat(), dag_run.data_interval_end.isoformat()
        if isinstance(changes, SequenceChanges):
            raise AirflowSkipException(
                f"{connector.source}.{stream} lists its changes by number: give since and until as parameters"
            )
    if (since or until) and changes is None:
        raise AirflowSkipException(
            f"{connector.source}.{stream} cannot list its changes, so it cannot be backfilled"
        )
    return window_asked(connector, stream, since, until)
