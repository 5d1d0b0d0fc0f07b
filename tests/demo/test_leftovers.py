"""One demo at a time over a folder, and nothing left of the one before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from demo.failure import DemoFailed
from demo.processes.leftovers import MARK, end_leftovers, fresh_folder
from oncehub.store.connection import connect
from oncehub.store.server import start_embedded

_WAITING = [sys.executable, "-c", "import sys, time; print(flush=True); time.sleep(600)"]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def waiting(mark: str | None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **({MARK: mark} if mark else {})}
    process = subprocess.Popen(_WAITING, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_only_the_marked_processes_of_this_folder_are_ended(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started += [waiting(str(tmp_path)), waiting(str(tmp_path / "other")), waiting(None)]

    end_leftovers(tmp_path)

    assert [psutil.pid_exists(process.pid) for process in started] == [False, True, True]


def test_a_database_that_was_left_running_is_stopped(server_folder: Callable[[], Path]) -> None:
    left = server_folder() / "demo"
    url = start_embedded(left / "postgres", cleanup=None)
    connect(url).close()

    with fresh_folder(left) as folder:
        assert list(folder.iterdir()) == []

    assert not (left / "postgres" / "postmaster.pid").exists()


def test_a_folder_starts_empty(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "old").touch()
    with fresh_folder(tmp_path / "demo") as folder:
        assert list(folder.iterdir()) == []


def test_a_second_demo_in_the_same_folder_is_refused_and_the_first_unharmed(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "demo") as folder:
        (folder / "mine").touch()
        with pytest.raises(DemoFailed, match="already runs"), fresh_folder(folder):
            pass
        assert (folder / "mine").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(DemoFailed, match=f"{tmp_path / 'file'}.*"),
        fresh_folder(tmp_path / "file" / "demo"),
    ):
        pass
