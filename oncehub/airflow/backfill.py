"""The window that a DAG run was asked to read once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from oncehub.config.connector import Connector
from oncehub.connect.stream.window import Window
from oncehub.intake.runs.backfill import window_asked
from oncehub.intake.runs.cursor import changes_of


def backfill_asked(connector: Connector, stream: str, params: Mapping[str, Any]) -> Window | None:
    """Read `since` and `until` of a DAG run's parameters; None when neither is given.

    Raises:
        ConfigError: when the stream cannot be asked for that window.
        AirflowSkipException: when the stream cannot be asked for any, as the source's others may.
    """
    since, until = params.get("since"), params.get("until")
    if (since or until) and changes_of(connector, stream) is None:
        raise AirflowSkipException(f"{connector.source}.{stream} cannot tell what changed: no backfill")
    return window_asked(connector, stream, since, until)
