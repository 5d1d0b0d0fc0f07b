"""The demo's components: started under guards, watched, and all ended at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.failure import DemoFailed

_LINES_SHOWN = 3
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Component:
    """A started component; `log` takes what it writes to stdout and stderr."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Components:
    """All components of a demo; a context manager that ends them, the last started first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Component] = []
        folder.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, grace: float = 2
    ) -> Component:
        """Start a component in a process group of its own, under a guard.

        Args:
            name: what people call it; its log is `<folder>/<name>.log`.
            command: program and arguments.
            environment: added to this process's own.
            grace: seconds it has, once asked, to end by itself.
        """
        log = self.folder / f"{name.replace(' ', '-')}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "demo.processes.guard", str(os.getpid()), str(grace), *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        component = Component(name, process, log)
        self._started.append(component)
        return component

    def finish(self, component: Component, seconds: float) -> None:
        """Wait until a component that does one thing has done it.

        Raises:
            DemoFailed: when it failed or took too long.
        """
        try:
            status = component.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise DemoFailed(
                f"{component.name} did not finish in {seconds:g} s; {_end_of(component)}"
            ) from None
        self._started.remove(component)
        if status:
            raise DemoFailed(f"{component.name} failed with status {status}; {_end_of(component)}")

    def require_alive(self) -> None:
        """Check that every component still runs.

        Raises:
            DemoFailed: naming the first that does not, with the end of its log.
        """
        for component in self._started:
            status = component.process.poll()
            if status is not None:
                raise DemoFailed(f"{component.name} died with status {status}; {_end_of(component)}")

    def stop(self) -> None:
        """End all components: first those that use others, last the database."""
        *users, provider = reversed(self._started) if self._started else (None,)
        for component in users:
            component.process.terminate()
        for component in users:
            _end(component)
        if provider:
            provider.process.terminate()
            _end(provider)
        self._started.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _end(component: Component) -> None:
    try:
        component.process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # The guard itself hangs: its component dies with it.
        component.process.kill()
        component.process.wait()


def _end_of(component: Component) -> str:
    lines = [line for line in component.log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return f"its log {component.log} ends: {' / '.join(lines[-_LINES_SHOWN:]) or '(empty)'}"
