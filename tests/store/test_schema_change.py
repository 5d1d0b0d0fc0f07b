"""`oncehub init` in operation: killed, several at once, beside another hub, behind a long transaction."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2.errors
import pytest

from oncehub.errors import StoreUnavailable
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.share.access.database_access import encrypted_attributes, require_database_access
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.store import schema_change
from oncehub.store.connection import Connection, connect
from oncehub.store.migrate import Scripts, hub_scripts, migrate, require_current
from tests.store.catalogue import snapshot

EDITED = "update public.oncehub_migration set digest = 'edited' where name like 'routines/share/%%'"
SESSIONS = """
select count(*) from pg_stat_activity
where datname = current_database() and application_name = 'oncehub' and pid <> pg_backend_pid()
"""
KILLS = 4


def sessions(database: Connection) -> int:
    with database, database.cursor() as cursor:
        cursor.execute(SESSIONS)
        return int(cursor.fetchone()[0])


def await_sessions(database: Connection, wanted: Callable[[int], bool]) -> None:
    give_up = time.monotonic() + 30
    while not wanted(sessions(database)):
        assert time.monotonic() < give_up
        time.sleep(0.01)


def started(settings: Settings) -> subprocess.Popen[bytes]:
    own = {
        "ONCEHUB_ROOT": str(settings.root),
        "ONCEHUB_HOME": str(settings.home),
        "ONCEHUB_DATABASE_URL": str(settings.database_url),
    }
    return subprocess.Popen([sys.executable, "-m", "oncehub.cli", "init"], env=os.environ | own)


def require_complete(settings: Settings, database: Connection) -> None:
    require_current(database)
    require_database_access(database, load_agreements(settings), encrypted_attributes(settings))


def state(database: Connection) -> dict[str, Any]:
    """The database's objects and rights, and what agreements entitle to."""
    objects = snapshot(database)
    with database, database.cursor() as cursor:
        cursor.execute("select agreement, digest from share.entitlement order by agreement")
        return {**objects, "entitlements": cursor.fetchall()}


def test_killed_at_any_instant_it_leaves_the_old_state_or_the_new_one(
    editable: Settings, database: Connection, ward: str
) -> None:
    initialise(editable)
    with_ward = state(database)
    agreement = editable.mappings / "agreements" / f"{ward}.yaml"
    text = agreement.read_text("utf-8")
    agreement.unlink()
    initialise(editable)
    without = state(database)
    assert without != with_ward
    for kill in range(KILLS):
        wanted = with_ward if kill % 2 == 0 else without
        if wanted is with_ward:
            agreement.write_text(text, "utf-8")
        else:
            agreement.unlink()
        with database, database.cursor() as cursor:
            cursor.execute(EDITED)
        process = started(editable)
        await_sessions(database, lambda count: count > 0)
        time.sleep(random.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        await_sessions(database, lambda count: count == 0)
        assert state(database) in (with_ward, without)
        initialise(editable)
        require_complete(editable, database)
        assert state(database) == wanted


def test_several_at_once_and_beside_another_hub_on_the_server_all_succeed(
    editable: Settings, new_settings: Callable[[], Settings], ward: str
) -> None:
    hubs = [editable, replace(editable, database_url=new_settings().database_url)]
    agreement = editable.mappings / "agreements" / f"{ward}.yaml"
    text = agreement.read_text("utf-8")
    for round_ in range(2):
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(initialise, hubs * 3))
        for hub in hubs:
            with closing(connect(str(hub.database_url))) as connection:
                require_complete(hub, connection)
        if round_ % 2 == 0:
            agreement.unlink()
        else:
            agreement.write_text(text, "utf-8")


@pytest.fixture
def reader(settings: Settings) -> Iterator[Connection]:
    """A session whose transaction has read the golden records and stays open."""
    connection = psycopg2.connect(str(settings.database_url), application_name="report")
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from truth.person")
    yield connection
    connection.close()


def scripts_that_rename() -> Scripts:
    scripts = hub_scripts()
    return replace(
        scripts,
        once={**scripts.once, "migrations/0001_x.sql": "alter table truth.person add column nickname text"},
    )


def test_behind_a_long_transaction_it_holds_up_nobody_and_names_it(
    settings: Settings, database: Connection, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_change, "LONGEST_WAIT_SECONDS", 2.0)
    before = snapshot(database)
    with ThreadPoolExecutor(1) as thread:
        changing = thread.submit(migrate, database, scripts_that_rename())
        with closing(connect(str(settings.database_url))) as other:
            while not changing.done():
                with other, other.cursor() as cursor:
                    # Less than the two seconds for which the change is tried.
                    cursor.execute("set local lock_timeout = '1s'; select count(*) from truth.person")
        with pytest.raises(StoreUnavailable, match=r"nothing was changed.*session \d+ \(report, idle in tra"):
            changing.result()
    assert snapshot(database) == before
    reader.rollback()
    assert migrate(database, scripts_that_rename())[0] == "migrations/0001_x.sql"


def test_a_backfill_runs_in_batches_and_continues_where_it_stopped(database: Connection) -> None:
    def ask(statement: str) -> list[tuple[int, ...]]:
        with database, database.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    scripts = hub_scripts()
    added = {
        "migrations/0001_size.sql": "alter table share.pile add column size int",
        "migrations/0002_fill.batches.sql": "update share.pile set size = 1 / possible where id in "
        "(select id from share.pile where size is null order by id limit 3)",
        "migrations/0003_needed.sql": "alter table share.pile alter column size set not null",
    }
    wanted = replace(scripts, once=scripts.once | added)
    ask(
        "create table share.pile (id int, possible int);"
        "insert into share.pile select id, (id <> 7)::int from generate_series(1, 8) as id returning id"
    )
    with pytest.raises(psycopg2.errors.DivisionByZero):
        migrate(database, wanted)
    assert ask("select count(*), count(size) from share.pile") == [(8, 6)]
    ask("update share.pile set possible = 1 where id = 7 returning id")
    assert migrate(database, wanted)[:2] == [*added][1:]
    assert ask("select count(size), count(distinct xmin::text) from share.pile") == [(8, 3)]
    assert migrate(database, wanted) == []
