"""Notifies the addresses of `ONCEHUB_NOTIFY` that a task has failed for good, or that a run is late."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from oncehub.airflow.retries import TaskEnded
from oncehub.clock import VIETNAM
from oncehub.errors import OncehubError


class TaskFailed(BaseNotifier):
    """A failure callback: which task of which run failed, and the sentence of its error.

    Other exceptions than the hub's are named by their type only: their text may quote a record.
    """

    def notify(self, context: Any) -> None:
        """Send the notification."""
        from oncehub.watch.notifier import WHAT_TO_DO, Notifier

        task = context["task_instance"]
        error = context.get("exception")
        sentence = str(error) if isinstance(error, TaskEnded) else type(error).__name__
        run = f"Run {context['run_id']}, try {task.try_number}."
        text = f"{sentence}\n{run}\n{WHAT_TO_DO}"
        Notifier().send(f"oncehub task failed: {task.dag_id}.{task.task_id}", text)


def told_after(late: timedelta) -> DeadlineAlert:
    """Return the deadline of a DAG whose runs notify once, when they have not ended in time.

    The triggerer notifies: the executor may be full of the tasks that are late.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=late, callback=AsyncCallback(RunLate)
    )


class RunLate(BaseNotifier):
    """The callback of a missed deadline: which run has not ended by when. It goes on."""

    async def async_notify(self, context: Any) -> None:
        """Send the notification.

        Raises:
            OncehubError: when an address did not take it; Airflow then shows that the callback has failed.
        """
        from oncehub.watch.notifier import WHAT_TO_DO, Notifier

        run = context["dag_run"]
        due = context["deadline"]["deadline_time"].astimezone(VIETNAM).isoformat(timespec="minutes")
        text = f"Run {run['dag_run_id']} has not ended by {due}; it goes on.\n{WHAT_TO_DO}"
        if await asyncio.to_thread(Notifier().send, f"oncehub run late: {run['dag_id']}", text):
            raise OncehubError("not every address of ONCEHUB_NOTIFY took the notification")
