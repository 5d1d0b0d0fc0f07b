"""Notifies the addresses of `ONCEHUB_NOTIFY` that a task has failed for good."""

from __future__ import annotations

from typing import Any

from airflow.sdk.bases.notifier import BaseNotifier

from oncehub.airflow.retries import TaskEnded


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
