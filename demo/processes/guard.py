"""Runs one component, and ends it with all its descendants on request or when the demo has died.

`python -m demo.processes.guard PARENT GRACE COMMAND...`: PARENT is the demo's process id, GRACE the
seconds that the component has to end by itself. When the demo is killed (SIGKILL) it cannot clean up;
each guard then ends its own component.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(parent: int, grace: float, command: list[str]) -> int:
    """Run the command to its end and return its exit status; 128 + signal when a signal ended it."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda given, _: received.append(given))
    _become_reaper()
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - no thread runs here
    )
    while child.poll() is None and not received and os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    if child.poll() is None:
        child.terminate()
        _wait(child, grace)
    end_descendants()
    status = child.wait()
    return status if status >= 0 else 128 - status


def end_descendants() -> None:
    """Kill all descendants of this process, and repeat until none runs."""
    while living := _living(psutil.Process().children(recursive=True)):
        for process in living:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(living, timeout=1)


def _living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait(child: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _become_reaper() -> None:
    """Become the parent of the component's orphans, e.g. daemons, so that they are ended too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _die_with(guard: int) -> Callable[[], None] | None:
    """Make the component end even when its guard is killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)

    return arm


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
