"""However the demo or a component ends, nothing that it started stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

# A component that starts a server which leaves its process group and its parent, as pg_ctl does.
_COMPONENT = """
import os, subprocess, sys, time
server = "import sys, time, os; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
command = f"[sys.executable, '-c', {server!r}, sys.argv[1]]"
launcher = f"import subprocess, sys; subprocess.Popen({command}, start_new_session=True)"
subprocess.run([sys.executable, "-c", launcher, sys.argv[1]])
open(sys.argv[2], "w").write(str(os.getpid()))
time.sleep(600)
"""
# Stands for the demo: starts a guard over the component, and waits.
_DEMO = """
import os, subprocess, sys
guard = [sys.executable, "-m", "demo.processes.guard", str(os.getpid()), "1"]
subprocess.Popen([*guard, *sys.argv[1:]], start_new_session=True).wait()
"""


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def component(folder: Path) -> list[str]:
    return [sys.executable, "-c", _COMPONENT, str(folder / "server"), str(folder / "component")]


def written_pids(folder: Path) -> list[int]:
    files = [folder / "server", folder / "component"]
    until(lambda: all(file.exists() and file.read_text() for file in files))
    return [int(file.read_text()) for file in files]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def guard(command: list[str], parent: int | None = None) -> subprocess.Popen[bytes]:
    guarding = [sys.executable, "-m", "demo.processes.guard", str(parent or os.getpid()), "1"]
    return subprocess.Popen([*guarding, *command], start_new_session=True)


def test_a_component_that_is_asked_to_end_takes_what_it_started_along(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(guard(component(tmp_path)))
    pids = written_pids(tmp_path)

    started[0].terminate()

    assert started[0].wait() == 128 + signal.SIGTERM
    assert all(map(is_gone, pids))


def test_a_demo_that_is_killed_leaves_nothing(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    started.append(subprocess.Popen([sys.executable, "-c", _DEMO, *component(tmp_path)]))
    pids = written_pids(tmp_path)
    guards = [child.pid for child in psutil.Process(started[0].pid).children()]

    started[0].kill()

    until(lambda: all(map(is_gone, [*guards, *pids])))


def test_a_demo_that_was_killed_before_its_guard_looked_leaves_nothing(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    started.append(guard([sys.executable, "-c", "import time; time.sleep(600)"], parent=gone.pid))
    assert started[0].wait() == 128 + signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_guard_that_is_killed_takes_its_component_along(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(guard(component(tmp_path)))
    server, main = written_pids(tmp_path)
    try:
        started[0].kill()
        until(lambda: is_gone(main))
    finally:
        os.kill(server, signal.SIGKILL)


def test_the_status_of_a_component_is_the_guards(started: list[subprocess.Popen[bytes]]) -> None:
    started.append(guard([sys.executable, "-c", "raise SystemExit(7)"]))
    assert started[0].wait() == 7
