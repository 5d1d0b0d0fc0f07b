"""The demo's components: started under guards, watched, and all ended at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.failure import DemoFailed
from stubs.processes import Started

_LINES_SHOWN = 3
_STOP_SECONDS = 20
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Component:
    """A named component, started under a guard."""

    name: str
    started: Started


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
            name: shown in messages; its log is `<folder>/<name>.log`.
            command: program and arguments.
            environment: added to this process's own.
            grace: seconds that it has to end by itself after SIGTERM.
        """
        guard = [sys.executable, "-m", "demo.processes.guard", str(os.getpid()), str(grace)]
        log = self.folder / f"{name.replace(' ', '-')}.log"
        component = Component(name, Started.start([*guard, *command], log, environment))
        self._started.append(component)
        return component

    def finish(self, component: Component) -> None:
        """Wait until a component that runs once has ended, as long as this machine takes.

        Raises:
            DemoFailed: when it, or a component that it may need, has failed.
        """
        while (status := component.started.process.poll()) is None:
            self._require_alive([each for each in self._started if each is not component])
            time.sleep(_POLL_SECONDS)
        self._started.remove(component)
        if status:
            raise DemoFailed(f"{component.name} failed with status {status}; {_end_of(component)}")

    def require_alive(self) -> None:
        """Check that every component still runs.

        Raises:
            DemoFailed: naming the first that does not, with the end of its log.
        """
        self._require_alive(self._started)

    @staticmethod
    def _require_alive(components: Sequence[Component]) -> None:
        for component in components:
            status = component.started.process.poll()
            if status is not None:
                raise DemoFailed(f"{component.name} died with status {status}; {_end_of(component)}")

    def stop(self) -> None:
        """End all components, the database last because the others use it."""
        *users, provider = reversed(self._started) if self._started else (None,)
        for component in users:
            component.started.process.terminate()
        for component in users:
            component.started.ended(_STOP_SECONDS)
        if provider:
            provider.started.end(_STOP_SECONDS)
        self._started.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _end_of(component: Component) -> str:
    return f"its log {component.started.log} ends: {component.started.last_lines(_LINES_SHOWN)}"
