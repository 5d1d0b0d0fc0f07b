"""Several processes that serve one socket: Python runs on one core a process."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from oncehub.errors import OncehubError, StoreUnavailable

_PARENT_DEATH_SIGNAL = 1
_PAUSE_SECONDS = 1.0


class Workers:
    """A fixed number of processes forked from this one, until it is stopped.

    Args:
        count: of processes.
        serve: runs in each until SIGTERM; it calls its argument once it can answer.
    """

    def __init__(self, count: int, serve: Callable[[Callable[[], None]], None]) -> None:
        self._context = multiprocessing.get_context("fork")
        self._serve = serve
        self._stopping = False
        self._processes: dict[int, BaseProcess] = {}
        for handled in (signal.SIGTERM, signal.SIGINT):
            signal.signal(handled, self._stop)
        started = [self._start() for _ in range(count)]
        self._ready = [pipe.recv() if _heard(pipe) else _gone() for pipe in started]

    def require_ready(self) -> None:
        """Check that all processes can answer; else stop them.

        Raises:
            OncehubError: of a process that cannot.
        """
        for error in self._ready:
            if error is not None:
                self._stop()
                self._join()
                raise error

    def run(self) -> None:
        """Wait until stopped, and replace each process that ends before."""
        while not self._stopping:
            wait([process.sentinel for process in self._processes.values()])
            for pid, process in list(self._processes.items()):
                if not process.is_alive() and not self._stopping:
                    del self._processes[pid]
                    time.sleep(_PAUSE_SECONDS)
                    self._start()
        self._join()

    def _start(self) -> Pipe:
        receiving, sending = self._context.Pipe(duplex=False)
        process = self._context.Process(target=self._work, args=(sending,))
        process.start()
        sending.close()
        self._processes[process.pid or 0] = process
        if self._stopping:
            self._stop()
        return receiving

    def _work(self, parent: Pipe) -> None:
        for handled in (signal.SIGTERM, signal.SIGINT):
            signal.signal(handled, signal.SIG_DFL)
        # When the first process is killed, nothing else would stop the others.
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        try:
            self._serve(lambda: parent.send(None))
        except OncehubError as error:
            parent.send(error)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid, process in self._processes.items():
            if process.is_alive():
                os.kill(pid, signal.SIGTERM)

    def _join(self) -> None:
        for process in self._processes.values():
            process.join()


def _heard(pipe: Pipe) -> bool:
    try:
        return pipe.poll(None)
    except EOFError:
        return False


def _gone() -> OncehubError:
    return StoreUnavailable("a process of the API ended before it could answer; see its log")
