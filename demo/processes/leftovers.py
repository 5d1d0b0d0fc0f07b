"""One demo at a time over one folder, and nothing left of the one before."""

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
"""Environment variable that every process of a demo carries; its value is the demo's folder."""

_LEAST_FREE_BYTES = 1024 * 1024 * 1024


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Give an empty `folder` that this process alone uses, and end whatever still runs there on leaving.

    What a killed demo left running in it is ended first.

    Raises:
        DemoFailed: when another demo runs in it, or the disk does not hold one.
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
                # An interrupt may come when a process has started and nobody has noted it yet.
                end_leftovers(folder)
    except OSError as error:
        raise DemoFailed(f"{error.filename or folder}: {error.strerror}") from error


def end_leftovers(folder: Path) -> None:
    """Kill every process, other than this one, that carries the mark of a demo in `folder`."""
    mark = str(folder)
    found = [process for process in psutil.process_iter() if _marked(process, mark)]
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
