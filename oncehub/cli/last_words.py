"""Says that the command ended when it cannot say so itself: killed, or crashed by a lack of memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

_LAST_WORDS: Final = (
    b"oncehub: the command was killed, or crashed because memory ended; nothing is lost: give it more "
    b"memory, or let the source send smaller pages (pages.size, limits.page_bytes), and run the same command "
    b"again\n"
)
_ENDED: Final = b"."
_STDERR: Final = 2


@contextmanager
def last_words() -> Iterator[None]:
    """Have a line on stderr when this process ends without leaving the block.

    A small process waits at a pipe that closes with this one. It is begun before anything large is loaded.
    """
    reading, writing = os.pipe()
    try:
        watcher = os.fork()
    except OSError:
        # No further process is allowed: then an end by a signal stays without a line.
        os.close(reading)
        os.close(writing)
        yield
        return
    if watcher == 0:
        os.close(writing)
        _watch(reading)
    os.close(reading)
    try:
        yield
    finally:
        os.write(writing, _ENDED)
        os.close(writing)
        os.waitpid(watcher, 0)


def _watch(reading: int) -> NoReturn:
    try:
        # An interruption is for the command.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        if os.read(reading, len(_ENDED)) != _ENDED:
            os.write(_STDERR, _LAST_WORDS)
    finally:
        os._exit(0)
