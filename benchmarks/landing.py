"""How fast records land, and in how much memory: part of `make bench`, or `python -m benchmarks.landing`.

The same records, served on this machine in pages of 1,000, land in the same PostgreSQL (embedded, its own
settings: every commit is on disk) by three ways, each in a fresh process and a fresh database, in turns:
the hub as `oncehub sync` runs it, the floor below which no landing goes, and dlt's merge where the extra
`bench` is installed. The hub reads everything a second time to show what unchanged records cost.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import sql
from rich.console import Console
from rich.table import Table

from benchmarks.landers import ROOT, Measured, Task, is_dlt_installed, land_in_new_process
from benchmarks.register import Register
from oncehub.model.settings import Settings
from oncehub.store.migrate import initialise
from oncehub.store.server import start_embedded, stop_embedded

_MIGRATED, _EMPTY = "oncehub", "template1"


@dataclass(frozen=True)
class Speeds:
    """Every repetition of every way, by its name: `hub`, `hub again`, `floor` and perhaps `dlt`."""

    of: dict[str, list[Measured]] = field(default_factory=dict)

    def add(self, name: str, measured: Measured) -> None:
        """Note one repetition."""
        self.of.setdefault(name, []).append(measured)

    def per_second(self, name: str) -> float:
        """The median of records a second."""
        return statistics.median(one.records / one.seconds for one in self.of[name])

    def ratio(self, name: str, to: str) -> float:
        """How many times as fast one way is as another; the median of the repetitions' own ratios."""
        pairs = zip(self.of[name], self.of[to], strict=True)
        return statistics.median((a.records / a.seconds) / (b.records / b.seconds) for a, b in pairs)


class Server:
    """A PostgreSQL server of the measurement's own."""

    def __init__(self, home: Path, url: str) -> None:
        self._url = url
        self._made = 0
        initialise(Settings(ROOT, home, url))

    @contextmanager
    def database(self, template: str) -> Iterator[str]:
        """Give the URL of a fresh database; what earlier ones left to write is written."""
        self._made += 1
        name = sql.Identifier(f"landing_{self._made}")
        self._administer(sql.SQL("create database {} template {}").format(name, sql.Identifier(template)))
        self._administer(sql.SQL("checkpoint"))
        try:
            yield self._naming(name.strings[0])
        finally:
            self._administer(sql.SQL("drop database {} with (force)").format(name))

    def _administer(self, statement: sql.Composable) -> None:
        connection = psycopg2.connect(self._naming("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def _naming(self, database: str) -> str:
        head, _, query = self._url.partition("?")
        return f"{head.rpartition('/')[0]}/{database}?{query}"


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server that goes with its data at the end."""
    with tempfile.TemporaryDirectory(prefix="oncehub-bench-") as folder:
        home = Path(folder)
        try:
            yield Server(home, start_embedded(home / "postgres", cleanup=None))
        finally:
            stop_embedded(home / "postgres")


def measure_speeds(server: Server, records: int, repeat: int, *, dlt: bool) -> Speeds:
    """Land `records` in every way, `repeat` times in turns."""
    speeds = Speeds()
    with Register.start(records, ready=True) as register:
        for _ in range(repeat):
            with server.database(_EMPTY) as url:
                speeds.add("floor", land_in_new_process("floor", Task(register.host, records, url)))
            with server.database(_MIGRATED) as url:
                for name in ("hub", "hub again"):
                    speeds.add(name, land_in_new_process("hub", Task(register.host, records, url)))
            if dlt:
                with server.database(_EMPTY) as url:
                    speeds.add("dlt", land_in_new_process("dlt", Task(register.host, records, url)))
    return speeds


def measure_memory(server: Server, sizes: Sequence[int]) -> list[Measured]:
    """Land registers of these sizes with the hub; their pages are made as they are asked for."""
    taken: list[Measured] = []
    for size in sizes:
        with Register.start(size, ready=False) as register, server.database(_MIGRATED) as url:
            taken.append(land_in_new_process("hub", Task(register.host, size, url)))
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--memory-records", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--skip-memory", action="store_true")
    parser.add_argument("--skip-dlt", action="store_true")
    arguments = parser.parse_args()
    console = Console()
    dlt = is_dlt_installed() and not arguments.skip_dlt
    with running_server() as server:
        speeds = measure_speeds(server, arguments.records, arguments.repeat, dlt=dlt)
        console.print(_speed_table(arguments.records, speeds))
        if not dlt:
            console.print("dlt was not measured; install it with: uv pip install 'dlt\\[postgres]'")
        if not arguments.skip_memory:
            sizes = (arguments.records, arguments.memory_records)
            console.print(_memory_table(measure_memory(server, sizes)))


def _speed_table(records: int, speeds: Speeds) -> Table:
    table = Table(title=f"{records:,} records landed", title_justify="left")
    for column in ("way", "records/s", "of the floor", "of dlt", "of the first run"):
        table.add_column(column, justify="left" if column == "way" else "right", no_wrap=True)
    for name in speeds.of:
        against = [("floor", True), ("dlt", "dlt" in speeds.of), ("hub", name == "hub again")]
        ratios = [f"{speeds.ratio(name, other):.2f}" if known else "" for other, known in against]
        table.add_row(name, f"{speeds.per_second(name):,.0f}", *ratios)
    return table


def _memory_table(taken: Sequence[Measured]) -> Table:
    table = Table(title="memory of the landing process", title_justify="left")
    for column in ("records", "highest MB", "of the first"):
        table.add_column(column, justify="right")
    for one in taken:
        share = f"{one.peak_bytes / taken[0].peak_bytes:.2f}"
        table.add_row(f"{one.records:,}", f"{one.peak_bytes / 2**20:.0f}", share)
    return table


if __name__ == "__main__":
    main()
