"""The runbook's times are kept: shipped rules, real incidents, and a clock that is moved on by minutes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oncehub.config.catalogue import load_rules
from oncehub.config.operation import AlarmRules
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.watch.alarms import AIRFLOW_URL, API_URL, DISKS
from oncehub.watch.notifier import Notifier
from oncehub.watch.watchdog import EVERY, Watchdog

from ..conftest import ROOT
from ..connect.serving import Served, as_json
from .incidents import database_down, execute, nonsense, run_stuck, signing_stopped, source_down

# A minute later for all that figures look at.
_LATER = """
set local session_replication_role = replica;
update intake.run set started_at = started_at - interval '1 minute',
    finished_at = finished_at - interval '1 minute';
update intake.checkpoint set saved_at = saved_at - interval '1 minute';
update audit.entry set at = at - interval '1 minute';
"""


def promised() -> dict[str, timedelta]:
    """The times of the runbook's table, by alarm."""
    text = (ROOT / "docs" / "operations" / "runbook.md").read_text("utf-8")
    rows = re.findall(r"^\| .+? \| (`.+?`) \| (\d+) min\b", text, re.MULTILINE)
    return {name: timedelta(minutes=int(n)) for names, n in rows for name in re.findall(r"`(\w+)`", names)}


def test_the_runbook_promises_what_the_rules_and_the_next_look_add_up_to(settings: Settings) -> None:
    rules = load_rules(settings, "alarms", AlarmRules)
    told = promised()
    assert {"run_failing", "database_down", "log_unsigned", "run_stuck"} <= told.keys()
    for name, within in told.items():
        after = getattr(rules, name)
        assert within == (after if isinstance(after, timedelta) else timedelta()) + EVERY, name


def scheduler_dead(settings: Settings, served: Any, database: Connection) -> Settings:
    return settings


@pytest.mark.parametrize(
    ("alarm", "incident"),
    [
        ("run_failing tax.registrations", source_down),
        ("run_failing tax.registrations", nonsense),
        ("database_down", database_down),
        ("log_unsigned", signing_stopped),
        ("run_stuck tax.registrations", run_stuck),
        ("airflow_unhealthy scheduler", scheduler_dead),
    ],
    ids=["source down", "nonsense", "database down", "signing stopped", "stuck run", "dead scheduler"],
)
def test_an_incident_is_told_within_the_promised_time_and_not_long_before(
    alarm: str,
    incident: Callable[[Settings, Any, Connection], Settings],
    settings: Settings,
    database: Connection,
    served: Callable[[Any], Served],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (AIRFLOW_URL, API_URL, DISKS):
        monkeypatch.delenv(name, raising=False)
    if incident is scheduler_dead:
        health = served(lambda _: as_json({"scheduler": {"status": "unhealthy"}}))
        monkeypatch.setenv(AIRFLOW_URL, health.host)
    hook = served(lambda _: as_json({}))
    minutes = 0
    began = datetime.now(UTC)
    watchdog = Watchdog(
        incident(settings, served, database),
        Notifier(f"{hook.host.replace('http', 'json')}/hook"),
        clock=lambda: began + minutes * EVERY,
    )
    title = f"oncehub alarm: {alarm}"
    within = promised()[alarm.split(maxsplit=1)[0]] // EVERY
    while title not in (heard := [json.loads(each.body)["title"] for each in hook.asked]):
        assert minutes <= within, heard
        execute(database, _LATER)
        minutes += 1
        watchdog.look()
    assert within - 1 <= minutes <= within
