"""Keeps the embedded PostgreSQL up while it runs: `python -m demo.processes.database FOLDER`."""

from __future__ import annotations

import math
import signal
import sys
import threading
from pathlib import Path

from demo.failure import DemoFailed
from demo.processes.processes import Components
from oncehub.errors import StoreUnavailable
from oncehub.store.server import start_embedded, stop_embedded

DATABASES = ("oncehub", "airflow")
_STOP_SECONDS = 15


def start_database(components: Components, folder: Path) -> dict[str, str]:
    """Start PostgreSQL over `folder` and return the URL of each of `DATABASES`.

    Raises:
        DemoFailed: when it does not start.
    """
    ready = folder.with_suffix(".ready")
    component = components.start(
        "database", [sys.executable, "-m", "demo.processes.database", str(folder)], {}, grace=_STOP_SECONDS
    )
    try:
        component.started.wait_until(ready.exists, math.inf)
    except ChildProcessError as problem:
        raise DemoFailed(f"the database: {problem}; see {component.started.log}") from None
    return dict(zip(DATABASES, ready.read_text("utf-8").splitlines(), strict=True))


def keep(folder: Path) -> None:
    """Start the server, write its URLs to `<folder>.ready`, and stop it on SIGTERM or SIGINT.

    Raises:
        StoreUnavailable: when it does not start.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    urls = [start_embedded(folder, database=name, cleanup=None) for name in DATABASES]
    try:
        unfinished = folder.with_suffix(".starting")
        unfinished.write_text("\n".join(urls), "utf-8")
        unfinished.rename(folder.with_suffix(".ready"))
        ended.wait()
    finally:
        stop_embedded(folder)


if __name__ == "__main__":
    try:
        keep(Path(sys.argv[1]))
    except StoreUnavailable as problem:
        sys.exit(str(problem))
