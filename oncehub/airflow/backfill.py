"""The window of a source that a DAG run reads again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
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
        dag_run: of Airflow's own backfill, its data interval and the next one are the window.

    Raises:
        ConfigError: when the stream cannot be read for that window.
        AirflowSkipException: when the stream cannot be read for any window; other streams of its source may.
    """
    since, until = params.get("since"), params.get("until")
    changes = changes_of(connector, stream) if stream in connector.streams else None
    if not (since or until) and dag_run is not None and dag_run.run_type == "backfill":
        since, until = (bound.isoformat() for bound in _window(dag_run))
        if isinstance(changes, SequenceChanges):
            raise AirflowSkipException(
                f"{connector.source}.{stream} lists its changes by number: give since and until as parameters"
            )
    if (since or until) and changes is None:
        raise AirflowSkipException(
            f"{connector.source}.{stream} cannot list its changes, so it cannot be backfilled"
        )
    return window_asked(connector, stream, since, until)


def _window(dag_run: Any) -> tuple[datetime, datetime]:
    """Return the window of a run of Airflow's backfill, so that its runs cover the range asked for.

    Airflow makes a run for each moment of the schedule in the range. The last lies before its end, and the
    data interval of that run ends with it, so each run reads on for as long again.
    """
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    return start, max(end, min(end + (end - start), datetime.now(UTC)))
