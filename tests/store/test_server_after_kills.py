"""The embedded server after processes were killed, and over folders that are not as it left them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest

from oncehub.errors import StoreUnavailable
from oncehub.store import server
from oncehub.store.data_folder import DataFolder
from oncehub.store.server import start_embedded, stop_embedded

COUNTING = "select count(*) from pg_stat_activity where query ~ '1e12' and state = 'active'"

USING = """
import sys
from pathlib import Path
from oncehub.store.server import start_embedded
print(start_embedded(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made(server_folder: Callable[[], Path]) -> Path:
    """A data folder that has been used, without a server."""
    folder = server_folder() / "made" / "postgres"
    start_embedded(folder, cleanup=None)
    stop_embedded(folder)
    return folder


@pytest.fixture
def folder(made: Path, server_folder: Callable[[], Path]) -> Iterator[Path]:
    """A copy of `made`."""
    own = server_folder() / "postgres"
    subprocess.run(["cp", "-a", str(made), str(own)], check=True)
    yield own
    stop_embedded(own)


class User:
    """A process that uses the server until its input ends."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USING, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        assert self.process.communicate("", timeout=60) == ("", "")
        assert self.process.returncode == 0


def postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split()[0])


def asked(url: str, statement: str) -> object:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def test_users_that_were_killed_do_not_keep_the_server(folder: Path) -> None:
    killed, last = User(folder), User(folder)
    assert killed.url() == last.url() != ""
    killed.process.kill()
    killed.process.wait()
    assert psutil.pid_exists(postmaster(folder))
    last.end()
    assert not (folder / "postmaster.pid").exists()


def test_processes_that_start_at_once_make_and_share_one_server(server_folder: Callable[[], Path]) -> None:
    folder = server_folder() / "postgres"
    users = [User(folder) for _ in range(3)]
    assert len({user.url() for user in users} - {""}) == 1
    for user in users:
        user.end()
    assert not (folder / "postmaster.pid").exists()
    assert not [*folder.parent.glob("*.begun-*")]


def test_a_number_of_a_dead_server_that_another_process_has_now_is_seen_through(folder: Path) -> None:
    # A program of the server's own user, which the server itself would take for another server.
    user = folder.owner() if os.geteuid() == 0 else None
    other = subprocess.Popen(["sleep", "600"], user=user, cwd="/")
    lines = [str(other.pid), str(folder), "1700000000", "5432", str(folder), "", "1 1", "ready", ""]
    (folder / "postmaster.pid").write_text("\n".join(lines))
    (folder / ".s.PGSQL.5432.lock").write_text(f"{other.pid}\n{folder}\n1700000000\n5432\n{folder}\n")
    try:
        assert asked(start_embedded(folder, cleanup=None), "select 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("left", ["", "12345", "no number\n"])
def test_a_torn_file_of_a_dead_server_is_seen_through(folder: Path, left: str) -> None:
    (folder / "postmaster.pid").write_text(left)
    assert asked(start_embedded(folder, cleanup=None), "select 1") == 1


def test_a_killed_server_is_recovered_though_a_statement_still_runs(folder: Path) -> None:
    url = start_embedded(folder, cleanup=None)
    asked(url, "create table kept as select 7 as seven; select 1")
    dead = postmaster(folder)
    with closing(psycopg2.connect(url)) as busy, ThreadPoolExecutor(1) as thread:
        # It looks at nothing but its numbers: it does not notice that its server was killed.
        counting = thread.submit(busy.cursor().execute, "select count(*) from generate_series(1, 1e12)")
        while not asked(url, f"{COUNTING} and pid <> pg_backend_pid()"):
            pass
        os.kill(dead, signal.SIGKILL)
        assert asked(start_embedded(folder, cleanup=None), "select seven from kept") == 7
        assert isinstance(counting.exception(), psycopg2.OperationalError)
    assert postmaster(folder) != dead
    assert len([*DataFolder(folder)._processes()]) < 12


def test_a_server_whose_socket_was_deleted_is_started_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_READY_SECONDS", 0.5)
    start_embedded(folder, cleanup=None)
    (folder / ".s.PGSQL.5432").unlink()
    assert asked(start_embedded(folder, cleanup=None), "select 1") == 1


def test_a_folder_whose_making_was_killed_is_made_anew(folder: Path) -> None:
    (folder / "postmaster.opts").unlink()
    for database in (folder / "base").iterdir():
        if int(database.name) > 1:
            shutil.rmtree(database)
    (folder / "global" / "pg_control").unlink()
    assert asked(start_embedded(folder, cleanup=None), "select 1") == 1


def test_a_folder_with_a_database_is_never_made_anew(folder: Path) -> None:
    (folder / "postmaster.opts").unlink()
    (folder / "global" / "pg_control").unlink()
    with pytest.raises(StoreUnavailable, match=rf"did not start; {folder}/log says why"):
        start_embedded(folder, cleanup=None)
    assert (folder / "base").exists()


def test_making_that_is_killed_leaves_no_folder(server_folder: Callable[[], Path]) -> None:
    folder = server_folder() / "postgres"
    making = User(folder)
    while not [*folder.parent.glob("*.begun-*/base")]:
        assert making.process.poll() is None
    making.process.kill()
    making.process.wait()
    assert not folder.exists()
    again = User(folder)
    assert again.url()
    again.end()
    assert (folder / "postmaster.opts").exists()


def test_data_of_another_major_version_are_named_with_the_way_out(folder: Path) -> None:
    (folder / "PG_VERSION").write_text("12\n")
    with pytest.raises(StoreUnavailable, match=r"has the data of PostgreSQL 12, .*ONCEHUB_DATABASE_URL"):
        start_embedded(folder)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(StoreUnavailable, match=r"holds other files .*ONCEHUB_HOME"):
        start_embedded(folder)
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_the_servers_log_is_named_and_never_printed(folder: Path, tmp_path: Path) -> None:
    (folder / "oncehub.conf").write_text("secret_of_the_log = 'x'\n")
    home = folder.parent
    run = subprocess.run(
        [sys.executable, "-m", "oncehub.cli", "status"],
        env=os.environ | {"ONCEHUB_HOME": str(home), "ONCEHUB_DATABASE_URL": ""},
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert run.stderr == f"oncehub: the embedded PostgreSQL did not start; {folder}/log says why\n"
    assert "secret_of_the_log" in (folder / "log").read_text()
