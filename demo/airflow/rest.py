"""A client of Airflow's REST API: triggers DAG runs and reads their state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from demo.airflow.processes import USER, Airflow
from demo.failure import DemoFailed
from demo.processes.loopback import loopback_session

_TIMEOUT = 30
_PAGE = 100
_UNFINISHED = ("queued", "running")


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG; `seconds` is None until it has ended."""

    dag_id: str
    run_id: str
    state: str
    seconds: float | None

    @property
    def ended(self) -> bool:
        """Whether it has ended, with success or without."""
        return self.state not in _UNFINISHED


class AirflowClient:
    """Calls the API server as `USER`."""

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow
        self._session = loopback_session()

    def dag_ids(self) -> set[str] | None:
        """Return the DAGs that can run, or None while the API server does not answer yet."""
        try:
            if "Authorization" not in self._session.headers:
                self._sign_in()
            dags = self._get("/dags", limit=_PAGE)["dags"]
        except requests.ConnectionError:
            return None
        return {dag["dag_id"] for dag in dags}

    def import_errors(self) -> list[str]:
        """Return one line for every DAG file that cannot be imported."""
        errors = self._get("/importErrors", limit=_PAGE)["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def add_connections(self, connections: Mapping[str, dict[str, Any]]) -> None:
        """Add connections, by their ids."""
        given = [{"connection_id": name, **connection} for name, connection in connections.items()]
        self._send("PATCH", "/connections", json={"actions": [{"action": "create", "entities": given}]})

    def add_pools(self, named: Mapping[str, dict[str, Any]]) -> None:
        """Add pools, by their names."""
        given = [{"name": name, **pool} for name, pool in named.items()]
        self._send("PATCH", "/pools", json={"actions": [{"action": "create", "entities": given}]})

    def trigger(self, dag_id: str) -> DagRun:
        """Start a DAG now."""
        return _dag_run(self._send("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None}))

    def run(self, run: DagRun) -> DagRun:
        """Return the present state of a run."""
        return _dag_run(self._get(f"/dags/{run.dag_id}/dagRuns/{run.run_id}"))

    def runs(self) -> list[DagRun]:
        """Return all runs of all DAGs, the oldest first."""
        found: list[DagRun] = []
        while True:
            page = self._get("/dags/~/dagRuns", limit=_PAGE, offset=len(found), order_by="id")
            found += map(_dag_run, page["dag_runs"])
            if len(found) >= page["total_entries"] or not page["dag_runs"]:
                return found

    def busy(self, dag_id: str) -> bool:
        """Return whether an asset event is queued for a DAG, or one of its runs has not ended."""
        # In this order: an event leaves the queue in the transaction that creates its run.
        if self._get(f"/dags/{dag_id}/assets/queuedEvents")["total_entries"]:
            return True
        runs = self._get(f"/dags/{dag_id}/dagRuns", limit=1, state=_UNFINISHED)
        return bool(runs["total_entries"])

    def why(self, run: DagRun) -> str:
        """Return one line on why a run failed: its failed task and the last error in that task's log."""
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        for task in self._get(path)["task_instances"]:
            if task["state"] == "failed":
                log = self._get(f"{path}/{task['task_id']}/logs/{task['try_number']}", full_content="true")
                return f"{task['task_id']}: {_last_error(log['content'])}"
        return "none of its tasks failed"

    def _sign_in(self) -> None:
        body = {"username": USER, "password": self._airflow.password}
        answer = self._session.post(f"{self._airflow.url}/auth/token", json=body, timeout=_TIMEOUT)
        if answer.status_code != requests.codes.created:
            raise DemoFailed(f"Airflow refuses the demo's user: status {answer.status_code}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        return self._send("GET", path, params=parameters)

    def _send(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        url = f"{self._airflow.url}/api/v2{path}"
        answer = self._session.request(method, url, timeout=_TIMEOUT, **arguments)
        if not answer.ok:
            raise DemoFailed(
                f"Airflow answers {method} {path} with {answer.status_code}: {answer.text[:300]}"
            )
        content: dict[str, Any] = answer.json()
        return content


def _dag_run(content: dict[str, Any]) -> DagRun:
    start, end = content["start_date"], content["end_date"]
    seconds = (_time(end) - _time(start)).total_seconds() if start and end else None
    return DagRun(content["dag_id"], content["dag_run_id"], content["state"], seconds)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _last_error(content: list[dict[str, Any]]) -> str:
    """Find the last error in a structured task log."""
    for event in reversed(content):
        for detail in event.get("error_detail") or ():
            return f"{detail['exc_type']}: {detail['exc_value']}"
        if event.get("level") == "error":
            return str(event["event"])
    return "its log shows no error"
