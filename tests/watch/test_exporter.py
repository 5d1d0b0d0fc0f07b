"""Figures as Prometheus reads them."""

from __future__ import annotations

import requests
from prometheus_client.parser import text_string_to_metric_families

from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.watch.exporter import serve_figures
from oncehub.watch.notifier import Notifier
from oncehub.watch.watchdog import Watchdog


def test_prometheus_reads_every_figure_and_alarm(settings: Settings, database: Connection) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("update oncehub_migration set applied_at = now() - interval '27 hours'")
    watchdog = Watchdog(settings, Notifier(""))
    watchdog.look()
    with serve_figures("127.0.0.1", 0, lambda: watchdog.figures) as port:
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    families = {each.name: each.samples for each in text_string_to_metric_families(text)}
    assert families["oncehub_database_bytes"][0].value > 0
    alarms = {(each.labels["name"], each.labels["subject"]) for each in families["oncehub_alarm"]}
    assert ("stream_stale", "tax.registrations") in alarms
    assert {each.name for each in watchdog.figures} == {name.removeprefix("oncehub_") for name in families}
