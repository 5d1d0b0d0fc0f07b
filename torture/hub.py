"""A hub in a folder of its own: its server, its keys, and the commands that are run against it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from oncehub.encryption.key_ring import load_key_ring
from oncehub.encryption.secrets import symmetric_key
from oncehub.errors import StoreUnavailable
from oncehub.store.connection import Connection, connect
from oncehub.store.data_folder import DataFolder
from oncehub.store.server import start_embedded, stop_embedded

COMMAND_SECONDS: Final = 180.0
"""How long a command may take; what takes longer hangs."""

RESTART_SECONDS: Final = 60.0
"""How long a killed server may take until it answers again."""

# The kernel gives no process this number, so that looking for it fails as for one that has ended.
_NO_PROCESS: Final = 2**31 - 1
_POLL_SECONDS: Final = 0.05

# Processes are killed here, not machines: what the server has written reaches the disk without waiting.
_QUICK: Final = ("fsync = off", "max_wal_size = '512MB'")


class Failure(Exception):
    """The hub did what it must not do; the message says what, where, and after which kill."""


@dataclass(frozen=True)
class Command:
    """A command as it is run, and as it is run again after an interruption, where that differs."""

    name: str
    arguments: tuple[str, ...]
    again: tuple[str, ...] | None = None
    module: str = "oncehub.cli"

    def line(self, *, again: bool = False) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", self.module, *(self.again if again and self.again else self.arguments)]


class Hub:
    """One hub.

    Args:
        name: `killed` or `twin`.
        folder: empty; holds server, home and the output of all commands.
        root: folder of the configuration.
        environment: the credentials of the sources.
    """

    def __init__(self, name: str, folder: Path, root: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.outputs = folder / "outputs"
        self.home = folder / "home"
        self._number = 0
        self._environment = {**os.environ, **environment}
        self._environment.pop("ONCEHUB_DATABASE_URL", None)
        self._environment |= {"ONCEHUB_ROOT": str(root), "ONCEHUB_HOME": str(self.home)}
        self.outputs.mkdir(parents=True)
        for setting in _QUICK:
            with closing(self.connect()) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                cursor.execute(f"alter system set {setting}")
                cursor.execute("select pg_reload_conf()")

    def connect(self) -> Connection:
        """Open a connection with the hub's own rights, starting the server where it does not run.

        Raises:
            Failure: when it does not answer in time.
        """
        deadline = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                return connect(start_embedded(self._server, cleanup=None))
            except StoreUnavailable as error:
                if time.monotonic() > deadline:
                    raise Failure(f"the server of the {self.name} hub does not answer: {error}") from None
                time.sleep(_POLL_SECONDS)

    def execute(self, statement: str) -> None:
        """Run one statement with the hub's own rights."""
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def start(self, command: Sequence[str], name: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Start a process of the hub; returns it and the file of all that it prints."""
        self._number += 1
        output = self.outputs / f"{self._number:04}-{name}.log"
        with output.open("wb") as file:
            process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        return process, output

    def run(self, command: Command, *, again: bool = False) -> tuple[int, float]:
        """Run a command to its end; returns its status and seconds.

        Raises:
            Failure: when it hangs.
        """
        begun = time.monotonic()
        process, _ = self.start(command.line(again=again), command.name)
        status = self.ended(process, command.name)
        return status, time.monotonic() - begun

    def ended(self, process: subprocess.Popen[bytes], name: str) -> int:
        """Wait for a process to end, and return its status.

        Raises:
            Failure: when it does not end in time; it is killed.
        """
        try:
            return process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failure(f"{name} did not end in {COMMAND_SECONDS:g} s") from None

    def make_keys(self) -> None:
        """Make all keys of a new hub."""
        load_key_ring(self.home)
        for name in ("signing", "pseudonym", "token"):
            symmetric_key(name, self.home)

    def copy_keys(self, other: Hub) -> None:
        """Take over the keys of another hub, so that both encrypt, sign and name alike."""
        shutil.rmtree(self.home / "keys", ignore_errors=True)
        shutil.copytree(other.home / "keys", self.home / "keys")

    def end_server(self, how: signal.Signals) -> None:
        """End the server with its processes at once; who connects next starts it again."""
        server = self._postmaster()
        server.send_signal(how)
        server.wait(RESTART_SECONDS)

    def kill_backend(self, draw: random.Random) -> bool:
        """Kill one of the processes that serve connections; False where there is none."""
        serving = sorted(each.pid for each in self._postmaster().children() if _serves(each))
        if serving:
            os.kill(draw.choice(serving), signal.SIGKILL)
        return bool(serving)

    def stop(self) -> None:
        """Stop the server."""
        stop_embedded(self._server)

    @property
    def _server(self) -> Path:
        return self.home / "postgres"

    def _postmaster(self) -> psutil.Process:
        return psutil.Process(DataFolder(self._server).server() or _NO_PROCESS)


def _serves(process: psutil.Process) -> bool:
    try:
        return "[local]" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
