"""Reports of a run, kept with its task: what waits in quarantine, open cases, and the balance."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from oncehub.intake.quarantine.replay import list_rejected
from oncehub.reconcile.run_balance import RunBalance
from oncehub.reconcile.stewardship.cases import count_open_cases
from oncehub.settings import Settings
from oncehub.store.migrate import opened

_LOOKED_AT: Final = 1000
"""Rejected records whose reasons are counted, the newest."""


def keep(task_instance: Any, **reports: Any) -> None:
    """Store reports with their task, by the titles of their links; outside Airflow there is no task."""
    if task_instance is not None:
        for name, report in reports.items():
            task_instance.xcom_push(key=name, value=report)


def quarantine_report(settings: Settings, source: str, stream: str) -> dict[str, Any]:
    """Count a stream's rejected records that wait, by place and reason; it holds no value of a record."""
    with opened(settings) as store:
        rows = list_rejected(store, source, stream, limit=_LOOKED_AT)
    reasons = Counter(f"{row.stage} {row.path}: {row.reason}" for row in rows)
    return {
        "waiting": len(rows) if len(rows) < _LOOKED_AT else f"{_LOOKED_AT} or more",
        "reasons": dict(reasons.most_common()),
        "each record": f"oncehub quarantine list {source}.{stream}",
    }


def cases_report(settings: Settings) -> dict[str, Any]:
    """Count the open cases, by kind."""
    with opened(settings) as store:
        return {"open": count_open_cases(store), "each case": "oncehub cases list"}


def balance_report(balance: RunBalance) -> dict[str, Any]:
    """Return a run's balance, summed for each subject and source."""
    lines = [
        {
            "subject": line.subject,
            "source": line.source,
            **{name: getattr(line, name) for name in ("opening", "added", "removed", "changed", "closing")},
        }
        for line in balance.totals
    ]
    return {
        "run": balance.run_id,
        "adds_up": balance.adds_up,
        "lines": lines,
        "each kind": f"oncehub reconcile verify --run {balance.run_id}",
    }
