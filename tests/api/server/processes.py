"""The API as processes of its own, spoken to over sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from oncehub.settings import Settings


@dataclass
class Running:
    process: subprocess.Popen[str]
    url: str
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=30)

    def exchange(self, sent: bytes) -> bytes:
        """Send bytes, and return what comes back until the API closes."""
        with self.connect() as connection:
            connection.sendall(sent)
            return received(connection)

    def workers(self) -> set[int]:
        return children(self.process.pid)


def received(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def children(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}


def lives(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def await_true(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to it in time"
        time.sleep(0.02)


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "ONCEHUB_ROOT": str(settings.root),
        "ONCEHUB_HOME": str(settings.home),
        "ONCEHUB_DATABASE_URL": str(settings.database_url),
    }


@contextmanager
def serving(settings: Settings, log: Path, *command: str) -> Iterator[Running]:
    """Run the API until the block ends."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "oncehub.api")), "--port", "0"],
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on "), log.read_text()
    yield Running(process, line.split()[-1], log)
    process.terminate()
    process.wait(timeout=20)
    process.stdout.close()
