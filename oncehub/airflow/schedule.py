"""How the hub's DAGs are scheduled and retried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

VIETNAM = "Asia/Ho_Chi_Minh"
"""Schedules are written in Vietnam time (UTC+7, no summer time)."""

RETRIED: dict[str, Any] = {
    "owner": "oncehub",
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(hours=1),
}
"""A source that is down gets tries after about 30 s, 90 s, 4.5 min and 13.5 min."""

ONE_AT_A_TIME: dict[str, Any] = {"max_active_runs": 1, "catchup": False, "default_args": RETRIED}
"""A run reads on from the cursor, so missed runs need no making up, and two at once would only wait."""
