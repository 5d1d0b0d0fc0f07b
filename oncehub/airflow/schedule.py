"""How the hub's DAGs are scheduled and retried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

VIETNAM = "Asia/Ho_Chi_Minh"
"""Time zone of all schedules (UTC+7, no daylight saving time)."""

RETRIED: dict[str, Any] = {
    "owner": "oncehub",
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(hours=1),
}
"""A failed task is retried after about 30 s, 90 s, 4.5 min and 13.5 min."""

ONE_AT_A_TIME: dict[str, Any] = {"max_active_runs": 1, "catchup": False, "default_args": RETRIED}
"""A run continues at the cursor: missed runs need no catch-up, and a second run at once would only wait."""
