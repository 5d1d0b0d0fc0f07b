"""Workers end, are replaced, and never outlive the process that started them."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
import requests

from oncehub.api.client import HubClient
from oncehub.api.server.workers import STOP_SECONDS
from oncehub.errors import OncehubError
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from tests.api.server.processes import Running, await_true, lives, serving

WORKERS = len(os.sched_getaffinity(0))


def in_a_thread(ask: HubClient) -> threading.Thread:
    def go() -> None:
        with pytest.raises((OncehubError, requests.RequestException)):
            ask.agreement()

    thread = threading.Thread(target=go)
    thread.start()
    return thread


def waits_for_a_lock(database: Connection) -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "select from pg_stat_clear_snapshot(), pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None


def test_a_master_that_is_asked_to_stop_stops_whatever_its_workers_do(
    running: Running, client: HubClient, web: requests.Session, database: Connection
) -> None:
    client.agreement()
    killed, stopped, *_ = running.workers()
    os.kill(killed, signal.SIGKILL)
    os.kill(stopped, signal.SIGSTOP)
    await_true(lambda: killed not in running.workers() and len(running.workers()) == WORKERS)
    web.close()
    with database.cursor() as cursor:
        cursor.execute("lock table share.client in access exclusive mode")
    stuck = in_a_thread(client)
    await_true(lambda: waits_for_a_lock(database))
    workers = running.workers()
    running.process.terminate()
    assert running.process.wait(timeout=STOP_SECONDS + 10) == 0
    assert not any(lives(pid) for pid in workers)
    database.rollback()
    stuck.join(timeout=30)
    assert not stuck.is_alive()
    written = running.log.read_text()
    assert f"process {killed} ended (SIGKILL); another takes its place" in written
    assert f"process {stopped} did not end in {STOP_SECONDS:.0f} s: killed" in written


def test_a_master_that_is_killed_leaves_no_worker_behind(running: Running) -> None:
    stopped, *_ = workers = running.workers()
    os.kill(stopped, signal.SIGSTOP)
    running.process.kill()
    running.process.wait(timeout=30)
    await_true(lambda: not any(lives(pid) for pid in workers))


SLOW_START = """
import os, runpy, sys, time
import oncehub.api.server.serving as serving
def never_ready(*_):
    print("listening on nothing yet", flush=True)
    time.sleep(3600)
serving.create_app = never_ready
sys.argv[0] = "oncehub.api"
runpy.run_module("oncehub.api", run_name="__main__")
"""


def test_a_master_stops_while_its_workers_start(editable: Settings, tmp_path: Path) -> None:
    with serving(editable, tmp_path / "api.log", "-c", SLOW_START) as api:
        workers = api.workers()
        api.process.send_signal(signal.SIGINT)
        assert api.process.wait(timeout=30) == 0
        assert not any(lives(pid) for pid in workers)
        assert "Traceback" not in api.log.read_text()
