"""The tasks themselves, run in this process over the running systems and a real database."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from oncehub.airflow.retries import HOPELESS, TaskEnded
from oncehub.airflow.schedule import due
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.watch.trail import trail
from stubs.client import Systems

DagFile = Callable[[str], ModuleType]


@pytest.fixture
def connected(systems: Systems, monkeypatch: pytest.MonkeyPatch) -> None:
    for source, connection in systems.connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_ONCEHUB_{source.upper()}", json.dumps(connection))


@pytest.mark.usefixtures("connected")
def test_landing_reconciling_and_publishing_hand_on_counts_only(
    dag_file: DagFile, database: Connection
) -> None:
    landed = dag_file("sync").land.function("population", "citizens")
    (part,) = dag_file("reconcile").link.function()
    settled = dag_file("reconcile").settle.function(part)
    signed = dag_file("reconcile").finish.function()
    published = dag_file("publish").publish.function("residence")
    corrections = dag_file("publish").publish_corrections.function("tax")

    assert signed["adds_up"]
    assert landed["read"] == landed["accepted"] + landed["quarantined"]
    assert set(landed) == {"pages", "read", "accepted", "unchanged", "quarantined", "deleted", "drift"}
    assert settled["people_created"] == landed["accepted"] == published["changes"]
    assert corrections["feed"] == "corrections.tax"
    json.dumps([landed, part, settled, signed, published, corrections])


@pytest.mark.usefixtures("connected")
def test_reports_of_a_run_are_kept_with_its_task_and_hold_no_value(
    dag_file: DagFile, database: Connection
) -> None:
    kept: dict[str, Any] = {}
    task = SimpleNamespace(xcom_push=lambda key, value: kept.update({key: value}))
    landed = dag_file("sync").land.function("tax", "registrations", ti=task)
    dag_file("reconcile").link.function()
    closed = dag_file("reconcile").finish.function(ti=task)

    assert kept["quarantine"]["waiting"] == landed["quarantined"] > 0
    assert sum(kept["quarantine"]["reasons"].values()) == landed["quarantined"]
    assert kept["balance"]["adds_up"] is closed["adds_up"] is True
    assert kept["balance"]["run"] == closed["run"]
    assert set(kept["cases"]["open"]) <= {"probable", "wrong_person", "register_identity", "correction"}
    assert not re.search(r"\d{9}", json.dumps(kept))


def test_a_purge_hands_on_counts_only(dag_file: DagFile, database: Connection) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into record.person (source, stream, source_key, full_name, stated_at, deleted_at) values "
            "('tax', 'registrations', '001084000999', 'Lê Thị Bí Mật', '2010-01-01', '2010-01-01')"
        )
    purged = dag_file("purge").purge_due.function()
    assert purged["removed"] == {"deleted_records": 1}
    assert not any(told in json.dumps(purged, ensure_ascii=False) for told in ("001084000999", "Bí Mật"))


def tasks_after_reading(dag_file: DagFile) -> dict[str, Callable[[], Any]]:
    """The tasks of all DAGs but the reads."""
    reconcile, publish = dag_file("reconcile"), dag_file("publish")
    return {
        "link": reconcile.link.function,
        "settle": lambda: reconcile.settle.function({"number": 0, "of": 1}),
        "finish": reconcile.finish.function,
        "publish": lambda: publish.publish.function("residence"),
        "publish_corrections": lambda: publish.publish_corrections.function("tax"),
        "sign_entries": dag_file("checkpoint").sign_entries.function,
        "measure": dag_file("coverage").measure.function,
        "purge_due": dag_file("purge").purge_due.function,
    }


def test_each_task_runs_without_its_predecessor_and_twice(dag_file: DagFile) -> None:
    counts = {"people", "people_created", "opened", "changes", "lines", "batches"}
    for name, task in tasks_after_reading(dag_file).items():
        for _ in range(2):
            done = task()
            if name == "finish":
                assert done["adds_up"]
            elif name != "link":
                assert {done[count] for count in counts & done.keys()} == {0}, name


def test_each_task_stops_for_good_where_the_database_is_another_or_its_keys_are_lost(
    dag_file: DagFile, database: Connection, settings: Settings
) -> None:
    tasks = tasks_after_reading(dag_file)
    (settings.home / "keys").rename(settings.home / "kept")
    for name in ("settle", "sign_entries", "purge_due"):
        with pytest.raises(TaskEnded, match=r"the (data|signing|pseudonym) key") as ended:
            tasks[name]()
        assert ended.value.delays == HOPELESS
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update hub.history set system_identifier = system_identifier - 1")
    for task in tasks.values():
        with pytest.raises(TaskEnded, match="oncehub restore adopt") as ended:
            task()
        assert ended.value.delays == HOPELESS


@pytest.mark.usefixtures("connected")
def test_a_full_read_can_be_asked_for(dag_file: DagFile, database: Connection) -> None:
    land = dag_file("sync").land.function
    first = land("population", "citizens")
    delta = land("population", "citizens")
    full = land("population", "citizens", params={"full": True})
    assert delta["read"] < first["read"] == full["read"]
    assert full["unchanged"] == first["accepted"]


@pytest.mark.usefixtures("connected")
def test_a_window_can_be_backfilled_without_moving_the_cursor(
    dag_file: DagFile, database: Connection
) -> None:
    land = dag_file("sync").land.function
    first = land("population", "citizens")
    window = {"since": "2026-01-01", "until": "2026-03-01T00:00+07:00"}
    again = land("population", "citizens", params=window)
    assert 0 < again["read"] == again["unchanged"] + again["quarantined"] < first["read"]
    with database, database.cursor() as cursor:
        cursor.execute("select position > '2026-03-01' from intake.cursor")
        assert cursor.fetchall() == [(True,)]


@pytest.mark.usefixtures("connected")
def test_airflows_own_backfill_reads_the_data_interval_of_its_run_and_the_next(
    dag_file: DagFile, database: Connection
) -> None:
    land = dag_file("sync").land.function
    land("population", "citizens")
    interval = {
        "data_interval_start": datetime(2026, 1, 1, tzinfo=UTC),
        "data_interval_end": datetime(2026, 3, 1, tzinfo=UTC),
    }
    start = {"start_date": datetime.now(UTC)}
    again = land("population", "citizens", dag_run=SimpleNamespace(run_type="backfill", **interval, **start))
    news = land("population", "citizens", dag_run=SimpleNamespace(run_type="scheduled", **interval, **start))
    assert 0 < again["read"] == again["unchanged"] + again["quarantined"]
    with database, database.cursor() as cursor:
        cursor.execute("select mode, window_from, window_until from intake.run order by run_id")
        modes = cursor.fetchall()
    assert [mode for mode, _, _ in modes] == ["full", "backfill", "changes"]
    # The range may end up to an interval after its last run.
    start, end = interval.values()
    assert modes[1][1:] == (start, end + (end - start))
    assert news["read"] < again["read"]


def test_the_data_intervals_of_a_days_runs_leave_no_gap() -> None:
    uneven = due("0 1,2 * * *")
    assert uneven.interval == timedelta(hours=23)
    assert due("*/5 * * * *").interval == timedelta(minutes=5)


@pytest.mark.usefixtures("connected")
def test_the_event_of_an_asset_has_the_counts(dag_file: DagFile) -> None:
    events: dict[Asset, SimpleNamespace] = defaultdict(SimpleNamespace)
    counts = dag_file("sync").land.function("tax", "registrations", outlet_events=events)
    assert {asset.uri: event.extra for asset, event in events.items()} == {
        "oncehub://records/tax/registrations": counts
    }


@pytest.mark.usefixtures("connected")
def test_a_connection_is_checked_without_landing(
    dag_file: DagFile, database: Connection, systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = dag_file("check").check.function
    assert check("tax", "registrations")["read"] > 0
    wrong = systems.connections["tax"] | {"password": "not the secret"}
    monkeypatch.setenv("AIRFLOW_CONN_ONCEHUB_TAX", json.dumps(wrong))
    with pytest.raises(TaskEnded, match="answered 401"):
        check("tax", "registrations")
    with database, database.cursor() as cursor:
        cursor.execute("select count(*) from intake.run")
        assert cursor.fetchone() == (0,)


@pytest.mark.usefixtures("connected")
def test_a_backfill_passes_over_a_stream_that_knows_no_changes(dag_file: DagFile) -> None:
    window = {"since": "2026-01-01", "until": "2026-03-01"}
    with pytest.raises(AirflowSkipException, match=r"customs\.declarants"):
        dag_file("sync").land.function("customs", "declarants", params=window)


@pytest.mark.usefixtures("connected")
def test_a_window_that_cannot_be_read_fails_at_once(dag_file: DagFile) -> None:
    window = {"since": "last week", "until": "2026-03-01"}
    with pytest.raises(TaskEnded, match="since is not a time"):
        dag_file("sync").land.function("population", "citizens", params=window)


@pytest.mark.usefixtures("connected")
def test_runs_know_the_dag_run_that_they_belong_to(
    dag_file: DagFile, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def within(dag: str) -> None:
        # As Airflow sets them for each task.
        monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", dag)
        monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "manual__1")

    within("sync_population")
    dag_file("sync").land.function("population", "citizens")
    within("reconcile")
    for shard in dag_file("reconcile").link.function():
        dag_file("reconcile").settle.function(shard)
    dag_file("reconcile").finish.function()
    within("publish_residence")
    dag_file("publish").publish.function("residence")
    [way] = trail(database, "sync_population/manual__1")
    assert (way["landed_by"], way["reconciled_by"], way["released_by"], way["feed"]) == (
        "sync_population/manual__1",
        "reconcile/manual__1",
        "publish_residence/manual__1",
        "residence",
    )


@pytest.mark.usefixtures("connected")
def test_the_log_of_a_landing_shows_window_and_counts_and_no_person(
    dag_file: DagFile, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="oncehub"):
        dag_file("sync").land.function("population", "citizens")

    assert "population.citizens" in caplog.text
    assert "accepted" in caplog.text
    with database.cursor() as cursor:
        cursor.execute("select personal_id, full_name from record.person")
        people = cursor.fetchall()
    assert people
    assert not [person for person in people if any(value and value in caplog.text for value in person)]


@pytest.mark.usefixtures("connected")
def test_a_source_that_asks_for_peace_is_left_alone_by_all_its_tasks(
    dag_file: DagFile, systems: Systems, database: Connection
) -> None:
    land = dag_file("sync").land.function
    run = SimpleNamespace(start_date=datetime.now(UTC), run_type="manual")
    systems.clear_faults()
    asked = systems.request_counts()["portal"]
    before = sum(entry["count"] for entry in asked if entry["status"] == 429)
    systems.faults("portal", "status", status=429, retry_after=3600)
    for stream in ("accounts", "dossiers"):
        with pytest.raises(AirflowRescheduleException) as postponed:
            land("portal", stream, dag_run=run)
        wait = postponed.value.reschedule_date - datetime.now(UTC)
        assert timedelta(minutes=59) < wait <= timedelta(hours=1)
    asked = systems.request_counts()["portal"]
    assert sum(entry["count"] for entry in asked if entry["status"] == 429) - before == 1


def test_refused_credentials_fail_at_once(
    dag_file: DagFile, systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = systems.connections["tax"] | {"password": "not the secret"}
    monkeypatch.setenv("AIRFLOW_CONN_ONCEHUB_TAX", json.dumps(wrong))
    with pytest.raises(TaskEnded) as caught:
        dag_file("sync").land.function("tax", "registrations")
    assert caught.value.delays == HOPELESS
    assert "not the secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
