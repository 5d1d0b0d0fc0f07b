"""Sources that fail, databases that go away, processes that are killed: nothing is lost, nothing doubled."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oncehub.config.connection import connection_from_document
from oncehub.errors import (
    AuthenticationError,
    RequestRefused,
    ResumeTokenInvalid,
    SourceUnavailable,
    StoreUnavailable,
    Throttled,
)
from oncehub.intake.sync import sync
from oncehub.store.connection import connect

PROCESS = Path(__file__).parents[1] / "reading_process.py"
ROOT = Path(__file__).resolve().parents[3]
LATER = datetime(2027, 1, 1, tzinfo=UTC)
COUNTERS = "select state, pages, read, accepted, unchanged, quarantined, deleted, error from intake.run"


@pytest.mark.parametrize(
    ("fault", "failure", "taken_up"),
    [
        ({"kind": "status", "status": 500}, SourceUnavailable, True),
        ({"kind": "drop"}, SourceUnavailable, True),
        ({"kind": "truncate"}, SourceUnavailable, True),
        ({"kind": "nonsense"}, SourceUnavailable, True),
        ({"kind": "status", "status": 429, "retry_after": 3600}, Throttled, True),
        ({"kind": "status", "status": 401}, AuthenticationError, True),
        ({"kind": "status", "status": 404}, RequestRefused, False),
    ],
)
def test_what_had_landed_stays_and_the_next_run_completes(new_hub, calm, fault, failure, taken_up) -> None:
    disturbed, undisturbed = new_hub(), new_hub()
    connector = disturbed.connector("population", size=100, attempts=1)
    calm.faults("population", after=3, count=9, **fault)
    with pytest.raises(failure):
        disturbed.read(calm, "population", connector)
    calm.clear_faults()
    # As if the time that the source asked to wait had passed.
    disturbed.query("delete from connect.rate_limit")
    [(run_id, mode, state, pages, error)] = disturbed.runs()
    assert (mode, state, pages) == ("full", "failed", 3)
    assert error
    assert "\n" not in error
    assert disturbed.query("select count(*) from intake.record_state")[0][0] > 250
    assert disturbed.query("select * from intake.cursor") == []
    [report] = disturbed.read(calm, "population", connector)
    undisturbed.read(calm, "population", connector)
    assert disturbed.everything() == undisturbed.everything()
    assert (report.run_id == run_id) is taken_up
    if taken_up:
        assert disturbed.query(COUNTERS) == undisturbed.query(COUNTERS)


def test_a_resume_token_of_another_release_is_refused_and_the_next_run_reads_anew(hub, calm) -> None:
    calm.faults("population", kind="status", status=500, after=3, count=1)
    with pytest.raises(SourceUnavailable):
        hub.read(calm, "population", hub.connector("population", size=100, attempts=1))
    hub.query("update intake.checkpoint set page = page || '{\"version\": 0}' returning 1")
    with pytest.raises(
        ResumeTokenInvalid, match=r"is of version 0, not 1.*`oncehub sync population --stream"
    ):
        hub.read(calm, "population")
    assert hub.query("select * from intake.checkpoint") == []
    [report] = hub.read(calm, "population")
    assert (report.mode, report.done, report.read) == ("full", True, report.total)
    assert [state for _, _, state, *_ in hub.runs()] == ["failed", "succeeded"]


def test_a_source_that_is_down_fails_the_run_and_the_next_one_reads(hub, calm) -> None:
    nowhere = connection_from_document({**calm.connections["tax"], "host": "http://127.0.0.1:9"}, "tax")
    with pytest.raises(SourceUnavailable):
        sync(hub.settings, hub.connector("tax", attempts=1), nowhere)
    assert [(state, pages) for _, _, state, pages, _ in hub.runs()] == [("failed", 0)]
    [report] = hub.read(calm, "tax")
    assert report.done


def test_a_stream_that_is_refused_does_not_keep_the_others_from_landing(hub, calm) -> None:
    calm.faults("portal", kind="status", status=404, count=1)
    with pytest.raises(RequestRefused):
        hub.read(calm, "portal", hub.connector("portal", attempts=1))
    states = hub.query("select stream, state from intake.run order by run_id")
    assert states == [("accounts", "failed"), ("dossiers", "succeeded"), ("submissions", "succeeded")]


def test_a_full_read_gives_up_an_unfinished_read_of_changes(hub, calm) -> None:
    hub.read(calm, "banking")
    # Back to where most is still to come.
    hub.query("update intake.cursor set position = '2026-01-01' returning 1")
    calm.faults("banking", kind="status", status=500, after=2, count=1)
    with pytest.raises(SourceUnavailable):
        hub.read(calm, "banking", hub.connector("banking", size=2, attempts=1))
    [report] = hub.read(calm, "banking", full=True)
    assert report.mode == "full"
    assert [(mode, state) for _, mode, state, *_ in hub.runs()] == [
        ("full", "succeeded"),
        ("changes", "failed"),
        ("full", "succeeded"),
    ]
    assert hub.query("select * from intake.checkpoint") == []


def test_an_interrupted_read_keeps_its_window_and_a_late_one_is_followed_by_the_present(hub, calm) -> None:
    hub.read(calm, "banking")
    hub.query("update intake.cursor set position = '2026-01-01' returning 1")
    heard: list[Any] = []
    calm.faults("banking", kind="status", status=500, after=2, count=1)
    with pytest.raises(SourceUnavailable):
        hub.read(calm, "banking", hub.connector("banking", size=2, attempts=1), report=heard.append)
    later = LATER + timedelta(days=2)
    finished, following = hub.read(calm, "banking", clock=lambda: later)
    assert (finished.run_id, finished.window, finished.done) == (heard[0].run_id, heard[0].window, True)
    assert following.window.until == later - timedelta(minutes=5)
    assert (following.accepted, following.done) == (0, True)


def test_a_database_that_goes_away_leaves_a_run_that_is_taken_up(new_hub, calm) -> None:
    cut, whole = new_hub(), new_hub()
    connector = cut.connector("population", size=100)
    others = "pid <> pg_backend_pid() and datname = current_database()"

    def cutting(report: Any) -> None:
        if report.pages == 2:
            cut.query(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")

    with pytest.raises(StoreUnavailable, match=r"landing population\.citizens"):
        cut.read(calm, "population", connector, report=cutting)
    cut.read(calm, "population", connector)
    whole.read(calm, "population", connector)
    assert cut.query(COUNTERS) == whole.query(COUNTERS)
    assert cut.everything() == whole.everything()


def test_a_process_killed_between_the_last_page_and_the_end_is_finished_without_reading(hub, calm) -> None:
    class Killed(BaseException):
        """Stands for a kill at this very instant: nothing of the engine handles it."""

    def killing(report: Any) -> None:
        if report.pages == total:
            raise Killed

    connector = hub.connector("population", size=100)
    total = -(-hub.read(calm, "population", connector)[0].read // 100)
    hub.query("update intake.cursor set position = '2000-01-01' returning 1")
    with pytest.raises(Killed):
        hub.read(calm, "population", connector, full=True, report=killing)
    assert hub.query("select state, pages, finished_at from intake.run order by run_id desc limit 1") == [
        ("running", total, None)
    ]
    before = calm.request_counts()["population"]
    [report] = hub.read(calm, "population", connector)
    assert (report.done, report.pages) == (True, total)
    assert calm.request_counts()["population"] == before
    assert hub.query("select position > '2026-01-01' from intake.cursor") == [(True,)]


def test_a_snapshot_that_only_lacked_its_end_is_followed_by_the_present_one(hub, calm) -> None:
    class Killed(BaseException):
        """Stands for a kill at this very instant: nothing of the engine handles it."""

    def killing(report: Any) -> None:
        if report.pages == total:
            raise Killed

    total = hub.read(calm, "customs")[0].pages
    with pytest.raises(Killed):
        hub.read(calm, "customs", report=killing)
    finished, following = hub.read(calm, "customs")
    assert (finished.done, finished.pages) == (True, total)
    assert (following.done, following.pages, following.run_id) == (True, total, finished.run_id + 1)


@pytest.mark.parametrize(
    ("source", "stream", "kills"),
    [
        ("population", "citizens", [1]),
        ("population", "citizens", [2, 3, 5]),
        ("tax", "registrations", [4]),
    ],
)
def test_a_read_that_is_killed_and_restarted_ends_like_one_that_never_was(
    new_hub, calm, source, stream, kills
) -> None:
    killed, whole = new_hub(), new_hub()
    for pages in kills:
        process = start_reading(killed, calm, source, stream)
        wait_for_pages(killed, pages, process)
        process.kill()
        process.wait()
    assert start_reading(killed, calm, source, stream).wait(60) == 0
    assert start_reading(whole, calm, source, stream).wait(60) == 0
    assert killed.everything() == whole.everything()
    assert killed.query(COUNTERS) == whole.query(COUNTERS)
    assert killed.query("select * from intake.checkpoint") == []


@pytest.mark.parametrize("kills", [[1], [2, 3]])
def test_a_backfill_that_is_killed_and_asked_for_again_ends_like_one_that_never_was(
    new_hub, calm, kills
) -> None:
    killed, whole = new_hub(), new_hub()
    window = ("backfill", "2000-01-01", "2026-04-01")
    for pages in kills:
        process = start_reading(killed, calm, "population", "citizens", *window)
        wait_for_pages(killed, pages, process)
        process.kill()
        process.wait()
    for hub in (killed, whole):
        assert start_reading(hub, calm, "population", "citizens", *window).wait(60) == 0
    assert killed.everything() == whole.everything()
    assert killed.query(COUNTERS) == whole.query(COUNTERS)
    assert (
        killed.query("select * from intake.checkpoint") == killed.query("select * from intake.cursor") == []
    )


def test_a_replay_that_is_killed_leaves_the_rest_to_the_next(new_hub, calm, tmp_path) -> None:
    killed, whole = new_hub(), new_hub()
    for hub in (killed, whole):
        hub.read(calm, "population", misread(hub, tmp_path))
        assert hub.rows()["person"] == []
        hub.settings = replace(hub.settings, root=ROOT)
    process = start_reading(killed, calm, "population", "citizens", "replay")
    wait_for_pages(killed, 3, process, mode="replay")
    process.kill()
    process.wait()
    for hub in (killed, whole):
        assert start_reading(hub, calm, "population", "citizens", "replay").wait(60) == 0
    assert killed.everything() == whole.everything()
    assert len(killed.rows()["person"]) > 500
    unresolved = "select count(*) from intake.rejected where resolved_at is null"
    assert killed.query(unresolved) == whole.query(unresolved)


def misread(hub: Any, folder: Path) -> Any:
    """Let the hub take every citizen for broken, by a contract that none of them meets."""
    root = folder / f"root-{hub.settings.home.name}"
    shutil.copytree(ROOT / "schemas", root / "schemas")
    for name in ("connectors", "mappings"):
        (root / name).symlink_to(ROOT / name)
    path = root / "schemas" / "sources" / "population" / "citizens.json"
    schema = json.loads(path.read_text("utf-8"))
    schema["minProperties"] = 1000
    path.write_text(json.dumps(schema), "utf-8")
    hub.settings = replace(hub.settings, root=root)
    connector = hub.connector("population")
    spec = connector.streams["citizens"]
    tolerant = spec.model_copy(update={"quarantine": spec.quarantine.model_copy(update={"at_most": 1.0})})
    return connector.model_copy(update={"streams": {"citizens": tolerant}})


def start_reading(hub: Any, systems: Any, source: str, stream: str, *task: str) -> subprocess.Popen[bytes]:
    """Read a stream, 30 records a page, in a process of its own, or do another task."""
    settings = hub.settings
    places = [str(settings.root), str(settings.home), settings.database_url]
    process = subprocess.Popen(
        [sys.executable, str(PROCESS), *places, source, stream, "30", *(task or ["read"])],
        env={"PYTHONPATH": str(settings.root)},
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(systems.connections[source]).encode())
    process.stdin.close()
    return process


def wait_for_pages(hub: Any, pages: int, process: subprocess.Popen[bytes], mode: str = "%") -> None:
    """Wait until that many pages have landed: an instant that the process knows nothing of."""
    connection = connect(hub.settings.database_url)
    try:
        while process.poll() is None:
            with connection, connection.cursor() as cursor:
                cursor.execute("select coalesce(max(pages), 0) from intake.run where mode like %s", (mode,))
                row = cursor.fetchone()
            if row and row[0] >= pages:
                return
            time.sleep(0.002)
    finally:
        connection.close()
    pytest.fail(f"the reading ended with status {process.returncode} before page {pages}")
