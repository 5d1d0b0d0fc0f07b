"""The alert rules and the dashboard fit what is served, and the runbook explains every alarm."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from oncehub.api.core.metrics import Metrics
from oncehub.config.operation import AlarmRules
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.watch.exporter import serve_figures
from oncehub.watch.figures import HELP
from oncehub.watch.notifier import Notifier
from oncehub.watch.watchdog import Watchdog

from ..conftest import ROOT

promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)"
)

DEPLOY = ROOT / "deploy"
RUNBOOK = ROOT / "docs" / "operations" / "runbook.md"

# A row for each figure that a hub without records has not.
FIGURES = """
insert into intake.run (source, stream, mode, state, finished_at)
values ('tax', 'registrations', 'full', 'succeeded', now()),
    ('tax', 'registrations', 'changes', 'failed', now() + interval '1 second'),
    ('customs', 'declarants', 'full', 'running', null);
insert into intake.rejected
(run_id, source, stream, stage, reason, path, digest, payload, kind, key_id)
select run_id, source, stream, 'contract', 'r', 'p', '', '', 'records', 'k' from intake.run limit 1;
select truth.close_run();
insert into truth.run_balance select run_id, 'discrepancy', 'tax', 'stale', 0, 1, 0, 0, 1, 0 from truth.run;
insert into truth.case_file (kind, source, stream, source_key, evidence)
values ('possible_match', 's', 't', 'k', '{}');
insert into share.feed (feed) values ('residence');
insert into share.client (client_id, agreement) values ('c', 'portal-residence');
insert into share.consumer_offset (feed, kind, sequence, client_id) values ('residence', 'fetched', 1, 'c');
update oncehub_migration set applied_at = now() - interval '27 hours';
"""


@pytest.fixture
def served(settings: Settings, database: Connection) -> set[str]:
    """The names of all metrics that the watchdog and the API serve, as Prometheus reads them."""
    with database, database.cursor() as cursor:
        cursor.execute(FIGURES)
    watchdog = Watchdog(settings, Notifier(""))
    watchdog.look()
    with serve_figures("127.0.0.1", 0, lambda: watchdog.figures) as port:
        texts = [requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text]
    api = Metrics()
    api.note_request("GET", "/ready", 200, 0.1)
    api.note_outcome("a", "lookup", "answered")
    texts.append(api.text()[0].decode())
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    return {sample.name for family in families for sample in family.samples}


def test_only_what_is_served_is_asked_for(served: set[str]) -> None:
    assert {f"oncehub_{name}" for name in HELP} <= served
    for path in (DEPLOY / "prometheus/alerts.yaml", DEPLOY / "grafana/oncehub.json", RUNBOOK):
        named = set(re.findall(r"\boncehub_(?!api\b|signing\b|migration\b)\w+[a-z]", path.read_text("utf-8")))
        assert named
        assert named <= served, path


def test_each_objective_is_watched_by_alarms_or_alerts_that_exist() -> None:
    text = RUNBOOK.read_text("utf-8")
    table = text[text.index("## Objectives") :].partition("\n\n[")[0]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
    watching = {
        *AlarmRules.model_fields,
        *(each["alert"] for group in rules["groups"] for each in group["rules"]),
    }
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 5
    for _, _, metrics, watched_by in rows:
        assert re.findall(r"`oncehub_\w+`", metrics)
        named = re.findall(r"`(\w+)`", watched_by)
        assert named
        assert set(named) <= watching


def test_the_dashboard_has_room_for_each_panel() -> None:
    panels = json.loads((DEPLOY / "grafana" / "oncehub.json").read_text("utf-8"))["panels"]
    places = {(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels}
    assert len(places) == len(panels) == len({each["id"] for each in panels})


@promtool
@pytest.mark.parametrize("command", ["check rules alerts.yaml", "test rules alerts_test.yaml"])
def test_prometheus_takes_the_rules_and_raises_the_alerts(command: str) -> None:
    done = subprocess.run(
        ["promtool", *command.split()], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_prometheus_parses_every_panel_of_the_dashboard(tmp_path: Path) -> None:
    panels = json.loads((DEPLOY / "grafana" / "oncehub.json").read_text("utf-8"))["panels"]
    assert all(each["targets"] for each in panels)
    rules = [
        {"record": f"panel:{panel['id']}:{target['refId']}", "expr": target["expr"]}
        for panel in panels
        for target in panel["targets"]
    ]
    (tmp_path / "panels.json").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", tmp_path / "panels.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_the_runbook_says_what_to_do_about_every_alarm_and_alert() -> None:
    text = RUNBOOK.read_text("utf-8")
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    alarms = set(AlarmRules.model_fields) - {"repeat"}
    alerts = set(
        re.findall(r"runbook\.md, ([A-Z].+)", (DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
    )
    assert headings >= alarms | alerts
