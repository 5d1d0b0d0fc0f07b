"""Shows the progress of the demo: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

_PLAIN_SECONDS = 3.0


class Progress:
    """Shows one step after another; in a terminal, a step's new message replaces the one before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._title = ""
        self._status: Status | None = None
        self._last_said = (0.0, "")

    @property
    def seconds(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while its block runs, and how long it took at the end."""
        start, self._title = time.monotonic(), title
        if self._console.is_terminal:
            with self._console.status(title) as self._status:
                yield
            self._status = None
        else:
            self._print(title)
            yield
        self._print(f"{title}: done in {time.monotonic() - start:.1f} s")

    def say(self, text: str) -> None:
        """Show a message about the running step."""
        if self._status:
            self._status.update(f"{self._title}: {text}")
            return
        said_at, said = self._last_said
        if text != said and self.seconds - said_at >= _PLAIN_SECONDS:
            self._last_said = (self.seconds, text)
            self._print(f"  {text}")

    def _print(self, text: str) -> None:
        self._console.print(f"[{self.seconds:6.1f} s] {text}", markup=False, highlight=False, soft_wrap=True)
