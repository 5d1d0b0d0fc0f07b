"""The kinds of kill: what happens to a running process, or to the server below it."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Final

import psutil

from torture.hub import Hub

_LONGEST_PAUSE: Final = 1.5
_POLL_SECONDS: Final = 0.02

Kill = Callable[[Hub, int, random.Random], bool]
"""Does it to the process of this id, or to the server; False where there was nothing left to kill."""


def _signalled(number: signal.Signals) -> Kill:
    def kill(_: Hub, process: int, __: random.Random) -> bool:
        psutil.Process(process).send_signal(number)
        return True

    return kill


def _pause(_: Hub, process: int, draw: random.Random) -> bool:
    """Stop the process for a while, as a machine does that sleeps or has no memory left."""
    stopped = psutil.Process(process)
    stopped.suspend()
    time.sleep(draw.uniform(0.1, _LONGEST_PAUSE))
    stopped.resume()
    return True


def _kill_backend(hub: Hub, process: int, draw: random.Random) -> bool:
    """Kill one as soon as there is one: a command begins with a second of imports."""
    running = psutil.Process(process)
    while not (done := hub.kill_backend(draw)) and running.status() != psutil.STATUS_ZOMBIE:
        time.sleep(_POLL_SECONDS)
    return done


def _end_server(how: signal.Signals) -> Kill:
    def end(hub: Hub, _: int, draw: random.Random) -> bool:
        hub.end_server(how)
        if draw.random() < 0.5:
            # At once, as a service manager does; else the next command finds no server.
            hub.connect().close()
        return True

    return end


KILLS: Final[dict[str, Kill]] = {
    "SIGKILL": _signalled(signal.SIGKILL),
    "SIGTERM": _signalled(signal.SIGTERM),
    "SIGSTOP": _pause,
    "backend": _kill_backend,
    "postmaster": _end_server(signal.SIGKILL),
    "immediate": _end_server(signal.SIGQUIT),
}
"""By name: the process is killed, asked to end, or stopped for a while; a process of the server that serves a
connection is killed; the postmaster is; the server is stopped without shutting down."""


def struck(hub: Hub, process: BaseProcess, kind: str, after: float, draw: random.Random) -> bool:
    """Wait some seconds, then kill; False where the process had ended, or there was nothing to kill."""
    process.join(after)
    try:
        return process.exitcode is None and KILLS[kind](hub, process.pid or 0, draw)
    except psutil.NoSuchProcess:
        return False
