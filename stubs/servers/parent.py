"""Ending together with another process."""

import os
import signal
import time
from threading import Thread

_POLL_SECONDS = 1


def end_with(parent: int) -> None:
    """Sends this process SIGTERM once the process `parent` is gone, whatever this one is busy with."""
    # A dead parent may linger as a zombie that a signal still finds; its child is given away at once.
    is_child = os.getppid() == parent

    def watch() -> None:
        while os.getppid() == parent if is_child else _exists(parent):
            time.sleep(_POLL_SECONDS)
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
