"""The window of a source that a DAG run reads again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from oncehub.config.connector import Connector
from oncehub.connect.stream.window import Window
from oncehub.intake.runs.backfill import window_asked
from oncehub.intake.runs.cursor import changes_of


def backfill_asked(connector: Connector, stream: str, params: Mapping[str, Any]) -> Window | None:
    """Return the window between a DAG run's parameters `since` and `until`; None when neither is given.

    Raises:
        ConfigError: when the stream cannot be read for that window.
        AirflowSkipException: when the stream cannot be read for any window; other streams of its source may.
    """
    since, until = params.get("since"), params.get("until")
    if (since or until) and changes_of(connector, stream) is None:
        raise AirflowSkipException(
            f"{connector.source}.{stream} cannot list its changes, so it cannot be backfilled"
        )
    return window_asked(connector, stream, since, until)
