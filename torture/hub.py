"""A hub in a folder of its own: its server, its keys, and the commands that are run against it."""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import psutil

from oncehub.cli.app import COMMANDS
from oncehub.encryption.key_ring import create_key_ring
from oncehub.encryption.secrets import create_key
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

# Commands are forked from a process that has imported them, so that little of what is killed is an import.
_PROCESSES: Final = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [f"oncehub.cli.{place.module}" for place in COMMANDS.values()]
    + ["oncehub.intake.sync", "oncehub.reconcile.run", "oncehub.share.retention.purge", "oncehub.api.app"]
)

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

    def start(self, command: Command, *, again: bool = False) -> tuple[BaseProcess, Path]:
        """Start a command; returns its process and the file of all that it prints."""
        self._number += 1
        output = self.outputs / f"{self._number:04}-{command.name}.log"
        arguments = command.again if again and command.again else command.arguments
        process = _PROCESSES.Process(
            target=_run, args=(command.module, arguments, self._environment, str(output))
        )
        process.start()
        return process, output

    def run(self, command: Command, *, again: bool = False) -> tuple[int, float]:
        """Run a command to its end; returns its status and seconds.

        Raises:
            Failure: when it hangs.
        """
        begun = time.monotonic()
        process, _ = self.start(command, again=again)
        status = self.ended(process, command.name)
        return status, time.monotonic() - begun

    def ended(self, process: BaseProcess, name: str) -> int:
        """Wait for a process to end, and return its status.

        Raises:
            Failure: when it does not end in time; it is killed.
        """
        process.join(COMMAND_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise Failure(f"{name} did not end in {COMMAND_SECONDS:g} s")
        return process.exitcode

    def make_keys(self) -> None:
        """Make all keys of a new hub."""
        create_key_ring(self.home)
        for name in ("signing", "pseudonym", "token", "request"):
            create_key(name, self.home)

    def copy_keys(self, other: Hub) -> None:
        """Take over the keys of another hub, so that both encrypt, sign and name alike."""
        shutil.rmtree(self.home / "keys", ignore_errors=True)
        shutil.copytree(other.home / "keys", self.home / "keys")

    def take_data_key(self, other: Hub, *, replacing: bool = False) -> None:
        """Take over the data key of another hub as the next one, or in place of one that is not used yet."""
        with closing(other.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("select id, wrapped, wrapped_under from hub.data_key where not former")
            row = cursor.fetchone()
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(
                "delete from hub.data_key" if replacing else "update hub.data_key set former = true"
            )
            cursor.execute("insert into hub.data_key (id, wrapped, wrapped_under) values (%s, %s, %s)", row)

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


def _run(module: str, arguments: Sequence[str], environment: Mapping[str, str], output: str) -> None:
    """Become a command, as `python -m` starts it, with a file for all that it prints."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
