"""Captures the output while the suite runs: logs at every level, warnings and stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, TextIO, cast

_FORM = logging.Formatter("%(name)s %(levelname)s %(message)s")


class _CapturingHandler(logging.Handler):
    """Captures every log record, with the text of its exception."""

    def __init__(self, captured: set[str]) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(_FORM)
        self._captured = captured

    def emit(self, record: logging.LogRecord) -> None:
        """Capture one record."""
        self._captured.add(self.format(record))


class _CapturingStream:
    """Writes to another stream, and captures the text."""

    def __init__(self, shown: TextIO, captured: set[str]) -> None:
        self._shown = shown
        self._captured = captured

    def write(self, text: str) -> int:
        """Write and capture text."""
        self._captured.add(text)
        return self._shown.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shown, name)


@contextmanager
def captured_output() -> Iterator[set[str]]:
    """Capture logs instead of showing them, because the suite's injected faults would fill them.

    Warnings and stderr are captured too; stderr is still shown.
    """
    captured = set[str]()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = [_CapturingHandler(captured)]
    root.setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
    try:
        with redirect_stderr(cast(TextIO, _CapturingStream(sys.stderr, captured))):
            yield captured
    finally:
        logging.captureWarnings(capture=False)
        root.handlers = handlers
        root.setLevel(level)
