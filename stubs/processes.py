"""Processes beside this one, started with a log, waited for and ended: for stubs, demo and benchmarks."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Self

_POLL_SECONDS = 0.05
_PARENT_POLL_SECONDS = 1


@dataclass(frozen=True)
class Started:
    """A started process; `log` takes what it writes to stdout and stderr."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        cwd: Path | None = None,
    ) -> Self:
        """Starts a command in a process group of its own; what `log` holds already stays.

        Args:
            command: program and arguments.
            log: file of its output.
            environment: added to this process's own.
            cwd: its working folder; this process's own unless given.
        """
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process, log)

    def wait_until(self, ready: Callable[[], object], seconds: float) -> None:
        """Waits until `ready` is true of the process.

        Raises:
            ChildProcessError: the process ended with a status.
            TimeoutError: the seconds are over.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise ChildProcessError(f"ended with status {self.process.returncode}: {self.last_lines()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready in {seconds:g} s: {self.last_lines()}")
            time.sleep(_POLL_SECONDS)

    def line_that_begins(self, words: str, seconds: float) -> str:
        """Waits for a whole line of the log that begins with some words, and returns it.

        Raises:
            ChildProcessError: the process ended before.
            TimeoutError: the seconds are over.
        """

        def found() -> list[str]:
            lines = self.log.read_text("utf-8", errors="replace").splitlines(keepends=True)
            return [line.strip() for line in lines if line.startswith(words) and line.endswith("\n")]

        self.wait_until(found, seconds)
        return found()[0]

    def last_lines(self, count: int = 5) -> str:
        """The end of the log, in one line."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return " / ".join([line for line in lines if line.strip()][-count:]) or "(empty)"

    def end(self, seconds: float) -> int:
        """Asks the process to end, kills it when it has not done so in time; its exit status."""
        self.process.terminate()
        return self.ended(seconds)

    def ended(self, seconds: float) -> int:
        """Waits for a process that was asked to end, kills it when it has not in time; its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def end_with(parent: int) -> None:
    """Sends this process SIGTERM once the process `parent` is gone, whatever this one is busy with."""
    # A dead parent may linger as a zombie that a signal still finds; its child is given away at once.
    is_child = os.getppid() == parent

    def watch() -> None:
        while os.getppid() == parent if is_child else _exists(parent):
            time.sleep(_PARENT_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, name="parent-watch", daemon=True).start()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
