"""The API is not ready exactly while look-ups are not answered, and recovers without a restart."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from oncehub.api.client import HubClient
from oncehub.api.core.readiness import READY_SECONDS
from oncehub.store.connection import Connection
from tests.api.server.processes import Running

ID = "001084000999"
ASKED = {"search": {"person.personal_id": ID}, "attributes": ["person.full_name"]}
TIMES = 20
"""More often than a process has connections to the database."""

# What goes, how it comes back, and what the API says of it.
MISSING = [
    (
        "alter function share.admitted rename to gone",
        "alter function share.gone rename to admitted",
        "UndefinedFunction (42883)",
    ),
    (
        "alter function share.find_person_key rename to gone",
        "alter function share.gone rename to find_person_key",
        "UndefinedFunction (42883)",
    ),
    (
        "alter table share.client rename to gone",
        "alter table share.gone rename to client",
        "UndefinedTable (42P01)",
    ),
    (
        "alter function share.look_at rename to gone",
        "alter function share.gone rename to look_at",
        "UndefinedFunction (42883)",
    ),
    (
        "revoke execute on function share.ask from oncehub_api",
        "grant execute on function share.ask to oncehub_api",
        "InsufficientPrivilege (42501)",
    ),
    (
        "alter table audit.entry rename to gone",
        "alter table audit.gone rename to entry",
        "UndefinedTable (42P01)",
    ),
    (
        "delete from share.request_key returning blocks",
        "insert into share.request_key (blocks) values (%s)",
        "does not take the API's requests as proven",
    ),
    (
        "alter table share.asked rename outcome to gone",
        "alter table share.asked rename gone to outcome",
        "UndefinedColumn (42703)",
    ),
]


@pytest.fixture
def look_up(
    running: Running, client: HubClient, web: requests.Session, believe: Callable[..., str]
) -> Callable[[], requests.Response]:
    believe(personal_id=ID, full_name="Nguyễn Thị An")
    headers = {"Authorization": f"Bearer {client.token()}"}
    return lambda: web.post(f"{running.url}/v1/persons/lookup", json=ASKED, headers=headers, timeout=30)


def test_what_is_missing_is_a_503_until_it_is_back(
    running: Running,
    look_up: Callable[[], requests.Response],
    web: requests.Session,
    database: Connection,
) -> None:
    assert look_up().status_code == 200
    for gone, back, said in MISSING:
        kept = _execute(database, gone)
        refused = look_up()
        assert (refused.status_code, refused.headers.get("Retry-After")) == (503, "5"), gone
        unready = web.get(f"{running.url}/ready", timeout=30)
        assert (unready.status_code, unready.headers["Retry-After"]) == (503, "5"), gone
        assert unready.json()["detail"].startswith("look-ups cannot be answered: "), gone
        assert said in unready.json()["detail"], (gone, unready.json())
        assert web.get(f"{running.url}/live", timeout=30).status_code == 200
        _execute(database, back, *(kept[0] if kept else ()))
        assert [look_up().status_code for _ in range(TIMES)] == [200] * TIMES, gone
        assert web.get(f"{running.url}/ready", timeout=30).json() == {"status": "ok"}
    # Nothing of what was tried is in the log.
    assert _execute(database, "select from audit.entry where client_id not in ('portal')") == []
    assert "Traceback" not in running.log.read_text()


def _execute(database: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with database, database.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def stopped_sessions(database: Connection) -> Iterator[None]:
    """Stop the API's sessions, as a server does whose disk or machine hangs."""
    sessions = _execute(
        database,
        "select pid from pg_stat_activity "
        "where datname = current_database() and application_name = 'oncehub api'",
    )
    assert sessions
    for (pid,) in sessions:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for (pid,) in sessions:
            os.kill(pid, signal.SIGCONT)


def test_readiness_says_in_time_that_look_ups_hang(
    running: Running,
    look_up: Callable[[], requests.Response],
    web: requests.Session,
    database: Connection,
) -> None:
    assert look_up().status_code == 200
    with database.cursor() as cursor:
        cursor.execute("lock table share.client in access exclusive mode")
    assert "one got no answer in 3 seconds" in asked_in_time(running, web)
    database.rollback()
    # The look-up that was waiting has ended.
    assert web.get(f"{running.url}/ready", timeout=30).status_code == 200
    with database.cursor() as cursor:
        cursor.execute("lock table truth.identifier in access exclusive mode")
    assert "LockNotAvailable (55P03)" in asked_in_time(running, web)
    database.rollback()
    assert look_up().status_code == 200
    with stopped_sessions(database):
        for _ in range(3):
            assert "one got no answer in 3 seconds" in asked_in_time(running, web)
            assert web.get(f"{running.url}/live", timeout=30).status_code == 200
    assert look_up().status_code == 200
    assert web.get(f"{running.url}/ready", timeout=30).status_code == 200


def asked_in_time(running: Running, web: requests.Session) -> str:
    begun = time.monotonic()
    answer = web.get(f"{running.url}/ready", timeout=30)
    assert time.monotonic() - begun < READY_SECONDS + 5
    assert answer.status_code == 503
    return str(answer.json()["detail"])
