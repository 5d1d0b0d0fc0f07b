"""Several processes that serve one socket: Python runs on one core a process."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple

from oncehub.api.core.metrics import forget_process
from oncehub.errors import OncehubError, StoreUnavailable

STOP_SECONDS: Final = 5.0
"""How long workers have to end after SIGTERM; then they are killed."""

_PARENT_DEATH_SIGNAL = 1
_PAUSE_SECONDS = 1.0
_STOPS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("oncehub.api")


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: Pipe
    """Gives None once the worker can answer, or the error that ended it before."""

    def heard(self) -> OncehubError | None:
        """Return the error that ended the worker before it could answer; None where it said nothing."""
        try:
            said: OncehubError | None = self.pipe.recv() if self.pipe.poll() else None
        except EOFError:
            return None
        return said


class Workers:
    """A fixed number of processes forked from this one, until it is stopped by SIGTERM or SIGINT.

    None of them outlives this process, even one that is killed (prctl(2), PR_SET_PDEATHSIG).

    Args:
        count: of processes.
        serve: runs in each until SIGTERM; it calls its argument once it can answer.

    Raises:
        OncehubError: when the system starts no further process.
    """

    def __init__(self, count: int, serve: Callable[[Callable[[], None]], None]) -> None:
        self._context = multiprocessing.get_context("fork")
        self._serve = serve
        self._stop_asked = False
        # A signal writes a byte at once, and waits end with it. Python runs its handlers in the main thread
        # only, and does not wake it where another thread, which a library has started, gets the signal.
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for handled in _STOPS:
            signal.signal(handled, lambda *_: None)
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._start()
        except OSError as error:
            self._end()
            raise OncehubError(f"cannot start {count} processes of the API: {error.strerror}") from None

    def require_ready(self) -> bool:
        """Wait until all processes can answer; return False when this one is asked to stop before.

        Raises:
            OncehubError: of a process that cannot answer; all are stopped then.
        """
        for worker in self._workers:
            self._wait([worker.pipe])
            if self._stop_asked:
                return False
            try:
                error: OncehubError | None = worker.pipe.recv()
            except EOFError:
                error = StoreUnavailable("a process of the API ended before it could answer; see its log")
            if error is not None:
                self._end()
                raise error
        return True

    def run(self) -> None:
        """Replace each process that ends; once stopped, return when all have ended or were killed."""
        missing = 0
        while not self._stop_asked:
            self._wait(
                [worker.process.sentinel for worker in self._workers], _PAUSE_SECONDS if missing else None
            )
            missing += self._forget_ended()
            if missing:
                # A process that ends at once is not started again at once.
                self._wait([], _PAUSE_SECONDS)
            if missing and not self._stop_asked:
                missing = self._replace(missing)
        self._end()

    def _forget_ended(self) -> int:
        ended = [worker for worker in self._workers if not worker.process.is_alive()]
        for worker in ended:
            self._workers.remove(worker)
            forget_process(worker.process.pid or 0)
            error = worker.heard()
            _log.error(
                "process %s ended (%s)%s; another takes its place",
                worker.process.pid,
                _ending(worker.process.exitcode or 0),
                f": {error}" if error else "",
            )
            worker.pipe.close()
            worker.process.close()
        return len(ended)

    def _replace(self, missing: int) -> int:
        """Start as many processes, and return how many the system refused to start."""
        for started in range(missing):
            try:
                self._start()
            except OSError as error:
                _log.error("cannot start a process of the API: %s", error.strerror)
                return missing - started
        return 0

    def _start(self) -> None:
        receiving, sending = self._context.Pipe(duplex=False)
        process = self._context.Process(target=self._work, args=(sending, os.getpid()))
        # A signal between the fork and the first line of the new process would run this process's handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            process.start()
        except OSError:
            receiving.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            sending.close()
        self._workers.append(_Worker(process, receiving))

    def _work(self, parent: Pipe, parent_pid: int) -> None:
        signal.set_wakeup_fd(-1)
        for handled in _STOPS:
            signal.signal(handled, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        # SIGKILL: a worker that is stopped or stuck would not end by another signal.
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent_pid:
            return
        try:
            self._serve(lambda: parent.send(None))
        except OncehubError as error:
            parent.send(error)

    def _wait(self, others: list[Any], seconds: float | None = None) -> None:
        """Wait until one of the others can be read, a signal asks to stop, or the time is over."""
        if self._woken in wait([self._woken, *others], seconds):
            self._stop_asked = True

    def _end(self) -> None:
        """Ask all processes to end, and kill those that do not in time."""
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while left := [worker.process for worker in self._workers if worker.process.is_alive()]:
            if not wait([process.sentinel for process in left], max(0.0, deadline - time.monotonic())):
                for process in left:
                    _log.error("process %s did not end in %.0f s: killed", process.pid, STOP_SECONDS)
                    process.kill()
                    process.join()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"status {code}"
