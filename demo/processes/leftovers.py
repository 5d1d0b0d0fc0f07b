"""Gives a demo its folder, used by one demo at a time, and ends what an earlier demo left running."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from demo.failure import DemoFailed
from oncehub.errors import StoreError
from oncehub.store.server import stop_embedded

MARK = "ONCEHUB_DEMO"
"""Environment variable of every process of a demo; its value is the demo's folder."""

_LEAST_FREE_BYTES = 1024 * 1024 * 1024


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Empty `folder` for this process alone, and end the processes that still run in it on leaving.

    Processes that a killed demo left running in it are ended first.

    Raises:
        DemoFailed: when another demo runs in it, or the disk has too little space.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("a+") as lock:
            _take(lock.fileno(), folder)
            end_leftovers(folder)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _require_space(folder)
            try:
                yield folder
            finally:
                # After an interrupt, a process may run that was not yet recorded as started.
                end_leftovers(folder)
    except OSError as error:
        raise DemoFailed(f"{error.filename or folder}: {error.strerror}") from error


def end_leftovers(folder: Path) -> None:
    """Kill every other process that carries the mark of a demo in `folder`."""
    found = _running(folder)
    for process in found:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(found, timeout=5)
    try:
        stop_embedded(folder / "postgres")
    except StoreError as error:
        raise DemoFailed(str(error)) from error


def left_running(folder: Path) -> list[str]:
    """Return the names of the processes with the mark of `folder`, but for this one and its children."""
    return [process.name() for process in _running(folder) if _lives_apart(process)]


def _lives_apart(process: psutil.Process) -> bool:
    try:
        return bool(process.ppid() != os.getpid())
    except psutil.NoSuchProcess:
        return False


def _running(folder: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _marked(process, str(folder))]


def _marked(process: psutil.Process, mark: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return bool(process.environ().get(MARK) == mark)
    except (psutil.Error, OSError):
        # Another user's process, or one that has just ended: not ours.
        return False


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DemoFailed(f"a demo already runs in {folder}; stop it first (Ctrl-C in its terminal)") from None


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise DemoFailed(f"{folder}: only {free // 2**20} MB left on the disk; the demo needs 1 GB")
