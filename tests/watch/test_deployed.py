"""The alert rules and the dashboard fit what is served, and the runbook explains every alarm."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from oncehub.config.operation import AlarmRules
from oncehub.watch.figures import HELP

from ..conftest import ROOT

DEPLOY = ROOT / "deploy"
API = {
    "oncehub_api_request_seconds_bucket",
    "oncehub_api_request_seconds_count",
    "oncehub_api_outcomes_total",
    "oncehub_api_database_connections",
    "oncehub_api_database_connections_in_use",
}
SERVED = {f"oncehub_{name}" for name in HELP} | API


@pytest.mark.parametrize("path", ["prometheus/alerts.yaml", "grafana/oncehub.json"])
def test_only_what_is_served_is_asked_for(path: str) -> None:
    named = set(re.findall(r"\boncehub_\w+", (DEPLOY / path).read_text("utf-8")))
    assert named
    assert named <= SERVED


def test_the_dashboard_has_room_for_each_panel() -> None:
    panels = json.loads((DEPLOY / "grafana" / "oncehub.json").read_text("utf-8"))["panels"]
    places = {(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels}
    assert len(places) == len(panels) == len({each["id"] for each in panels})


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize("command", ["check rules alerts.yaml", "test rules alerts_test.yaml"])
def test_prometheus_takes_the_rules_and_raises_the_alerts(command: str) -> None:
    done = subprocess.run(
        ["promtool", *command.split()], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_runbook_says_what_to_do_about_every_alarm_and_alert() -> None:
    text = (ROOT / "docs" / "operations" / "runbook.md").read_text("utf-8")
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    alarms = set(AlarmRules.model_fields) - {"repeat"}
    alerts = set(
        re.findall(r"runbook\.md, ([A-Z].+)", (DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
    )
    assert headings >= alarms | alerts
