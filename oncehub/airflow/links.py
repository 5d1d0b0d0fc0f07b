"""Buttons at a task that lead to the reports which it keeps (`reports.py`)."""

from __future__ import annotations

from typing import Any, Final

from airflow.sdk import BaseOperatorLink, XComArg


class ReportLink(BaseOperatorLink):
    """A button at a task that leads to its XComs, where the report has a name of its own."""

    def __init__(self, title: str) -> None:
        self._title = title

    @property
    def name(self) -> str:
        """The text of the button."""
        return self._title

    @property
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return f"_link_{self._title.lower()}"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page, from the root of Airflow's pages."""
        del operator
        return f"dags/{ti_key.dag_id}/runs/{ti_key.run_id}/tasks/{ti_key.task_id}/xcom"


QUARANTINE: Final = ReportLink("Quarantine")
CASES: Final = ReportLink("Cases")
BALANCE: Final = ReportLink("Balance")


def linked(task: XComArg, *links: ReportLink) -> XComArg:
    """Return a task, to which it has added links."""
    for operator, _ in task.iter_references():
        operator.operator_extra_links = links
    return task
