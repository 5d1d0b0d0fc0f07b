"""Everything that is said while the suite runs: logs at every level, warnings, and what goes to stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

_FORM = logging.Formatter("%(name)s %(levelname)s %(message)s")


@dataclass
class Heard:
    """What was said, each text once."""

    texts: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Hear one more."""
        self.texts.add(text)


class _Ear(logging.Handler):
    """Hears every record, with the text of its exception."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(_FORM)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one."""
        self._heard.add(self.format(record))


class _Both:
    """Writes where it always went, and is heard; in all else it is the stream it stands for."""

    def __init__(self, shown: TextIO, heard: Heard) -> None:
        self._shown = shown
        self._heard = heard

    def write(self, text: str) -> int:
        """Write."""
        self._heard.add(text)
        return self._shown.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shown, name)


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear logs instead of showing them: the faults that the suite makes are nobody's trouble."""
    heard = Heard()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = [_Ear(heard)]
    root.setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
    try:
        with redirect_stderr(cast(TextIO, _Both(sys.stderr, heard))):
            yield heard
    finally:
        logging.captureWarnings(capture=False)
        root.handlers = handlers
        root.setLevel(level)
