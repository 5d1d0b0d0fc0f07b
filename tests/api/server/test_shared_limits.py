"""Servers on one database count together, and a process that dies or stops holds nothing of others."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from oncehub.api.client import HubClient
from oncehub.errors import SourceUnavailable, TooManyRequests
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.store.connection import Connection
from tests.api.server.processes import Running, await_true, serving

WHO = {"person.personal_id": "001084000999"}
NAME = ["person.full_name"]
SECONDS = 20


@pytest.fixture
def limits(editable: Settings) -> Callable[..., None]:
    """Write other limits into the portal's agreement, before a server starts."""

    def write(**limits: int) -> None:
        path = editable.mappings / "agreements" / "portal-residence.yaml"
        content = yaml.safe_load(path.read_text("utf-8"))
        content["limits"] |= limits
        path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")

    return write


@pytest.fixture
def start(editable: Settings, tmp_path: Path) -> Iterator[Callable[[], Running]]:
    """Start a server of the API."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(serving(editable, tmp_path / "api.log"))


@pytest.fixture
def key(database: Connection, tmp_path: Path, believe: Callable[..., str]) -> bytes:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    path = tmp_path / "portal.pem"
    add_client(database, "portal", "portal-residence", new_client_key(path))
    return path.read_bytes()


@pytest.fixture
def client(key: bytes) -> Callable[[str], HubClient]:
    """A client of a server, on connections of its own."""

    def make(url: str) -> HubClient:
        web = requests.Session()
        web.trust_env = False
        return HubClient(url, "portal", key, web, timeout=SECONDS)

    return make


@contextmanager
def locked(database: Connection, table: str) -> Iterator[None]:
    with database.cursor() as cursor:
        cursor.execute(f"lock table {table} in access exclusive mode")
    try:
        yield
    finally:
        database.rollback()


def a_statement_waits(database: Connection) -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "select from pg_stat_clear_snapshot(), pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None


TABLES = ["audit.entry", "share.request_limit"]


@pytest.mark.parametrize("table", TABLES)
def test_workers_that_are_killed_while_they_ask_leave_no_lock(
    start: Any, client: Any, database: Connection, table: str
) -> None:
    server = start()
    one = client(server.url)
    one.token()
    with ThreadPoolExecutor(1) as pool, locked(database, table):
        asked = pool.submit(one.lookup, WHO, NAME)
        await_true(lambda: a_statement_waits(database))
        for worker in server.workers():
            os.kill(worker, signal.SIGKILL)
        assert asked.exception(timeout=SECONDS) is not None
    # The first process starts others in the place of those that ended.
    assert answered(client(server.url))


@pytest.mark.parametrize("table", TABLES)
def test_a_worker_that_is_stopped_while_it_asks_stops_no_other(
    start: Any, client: Any, database: Connection, table: str
) -> None:
    server = start()
    one = client(server.url)
    one.token()
    for worker in server.workers():
        with ThreadPoolExecutor(8) as pool:
            with locked(database, table):
                askers = [client(server.url) for _ in range(8)]
                for each in askers:
                    each._token, each._renew_at = one._token, one._renew_at
                asked = [pool.submit(each.lookup, WHO, NAME) for each in askers]
                await_true(lambda: a_statement_waits(database))
                os.kill(worker, signal.SIGSTOP)
            assert answered(client(server.url))
            os.kill(worker, signal.SIGCONT)
            assert all(each.result(timeout=SECONDS) for each in asked)


def answered(client: HubClient) -> bool:
    """Whether a look-up is answered in time, however often it has to be sent."""
    until = time.monotonic() + SECONDS
    client._timeout = 3
    while time.monotonic() < until:
        with suppress(SourceUnavailable):
            return bool(client.lookup(WHO, NAME)["attributes"])
    return False


def test_two_servers_together_give_no_more_than_the_limit(start: Any, client: Any, limits: Any) -> None:
    limits(per_second=10_000, per_day=30)
    one, other = [client(start().url) for _ in range(2)]
    for _ in range(15):
        assert one.lookup(WHO, NAME)
        assert other.lookup(WHO, NAME)
    for server in (one, other):
        with pytest.raises(TooManyRequests):
            server.lookup(WHO, NAME)


def test_a_server_that_is_asked_to_stop_writes_what_it_has_counted(
    start: Any, client: Any, database: Connection
) -> None:
    server = start()
    with requests.Session() as web:
        web.trust_env = False
        for _ in range(25):
            assert web.post(server.url + "/v1/persons/lookup", json={}, timeout=SECONDS).status_code == 401
    server.process.terminate()
    server.process.wait(timeout=SECONDS)
    with database, database.cursor() as cursor:
        cursor.execute(
            "select status, source, sum(refusals) from audit.entry where action = 'refusals' group by 1, 2"
        )
        assert cursor.fetchall() == [(401, "127.0.0.1", 25)]
