"""Measures how fast records land, and in how much memory.

Part of `make bench`, or `python -m benchmarks.landing`.

The same records, served on this machine in pages of 1,000, land in the same PostgreSQL (embedded, its own
settings: every commit is on disk) in three ways, each in a fresh process and a fresh database, in turns:
the hub as `oncehub sync` runs it, a floor that only copies, and dlt's merge where the extra `bench` is
installed. The hub reads everything a second time to show what unchanged records cost.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.data.register import Register
from benchmarks.measuring.server import Server
from benchmarks.peers.landers import ROOT, Measured, Task, is_dlt_installed, land_in_new_process
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store.server import DATABASE, start_embedded

_MIGRATED, _EMPTY, _LANDED = DATABASE, "empty", "landed"


Cost = Callable[[Measured], float]
"""Returns seconds per record."""


def by_clock(one: Measured) -> float:
    """Return the elapsed time."""
    return one.seconds / one.records


def by_process(one: Measured) -> float:
    """Return the processor time of the landing process."""
    return one.process_seconds / one.records


def by_database(one: Measured) -> float:
    """Return the processor time of the database's processes."""
    return one.database_seconds / one.records


def by_processors(one: Measured) -> float:
    """Return the processor time of both, which other work on the machine hardly affects."""
    return by_process(one) + by_database(one)


@dataclass(frozen=True)
class Speeds:
    """All measurements by way: `hub`, `hub again`, `floor`, and `dlt` where it is installed."""

    of: dict[str, list[Measured]] = field(default_factory=dict)

    def add(self, name: str, measured: Measured) -> None:
        """Add one measurement."""
        self.of.setdefault(name, []).append(measured)

    def per_second(self, name: str) -> float:
        """Return the median of records per second."""
        return statistics.median(one.records / one.seconds for one in self.of[name])

    def ratio(self, name: str, to: str, cost: Cost = by_clock) -> float:
        """Return how many times as fast one way is as another: the median ratio of the repetitions."""
        pairs = zip(self.of[name], self.of[to], strict=True)
        return statistics.median(cost(b) / cost(a) for a, b in pairs)

    def microseconds(self, name: str, cost: Cost) -> float:
        """Return the median cost per record in µs."""
        return statistics.median(cost(one) for one in self.of[name]) * 1e6


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server with an empty hub and an empty database; remove it and its data at the end."""
    with tempfile.TemporaryDirectory(prefix="oncehub-bench-") as folder:
        server = Server(Path(folder) / "postgres")
        try:
            start_embedded(server.folder, database=_EMPTY, cleanup=None)
            initialise(Settings(ROOT, server.folder.parent, server.url(_MIGRATED)), make_keys=True)
            yield server
        finally:
            server.stop()


@contextmanager
def fresh_database(server: Server, template: str) -> Iterator[str]:
    """Yield the URL of a fresh database, after earlier data were written to disk."""
    server.create(_LANDED, template=template)
    try:
        yield server.url(_LANDED)
    finally:
        server.drop(_LANDED)


def land(server: Server, way: str, task: Task) -> Measured:
    """Land in a new process, and add the processor time of the database's processes."""
    before = server.processor_seconds()
    measured = land_in_new_process(way, task)
    return replace(measured, database_seconds=server.processor_seconds() - before)


def _task(server: Server, register: Register, records: int, url: str) -> Task:
    return Task(register.host, records, url, str(server.folder.parent))


def measure_speeds(server: Server, records: int, repeat: int, *, dlt: bool) -> Speeds:
    """Land `records` in every way, `repeat` times in turns."""
    speeds = Speeds()
    with Register.start(records, ready=True) as register:
        for _ in range(repeat):
            with fresh_database(server, _EMPTY) as url:
                speeds.add(
                    "floor",
                    land(server, "floor", _task(server, register, records, url)),
                )
            with fresh_database(server, _MIGRATED) as url:
                for name in ("hub", "hub again"):
                    speeds.add(
                        name,
                        land(server, "hub", _task(server, register, records, url)),
                    )
            if dlt:
                with fresh_database(server, _EMPTY) as url:
                    speeds.add(
                        "dlt",
                        land(server, "dlt", _task(server, register, records, url)),
                    )
    return speeds


def measure_memory(server: Server, sizes: Sequence[int]) -> list[Measured]:
    """Land registers of these sizes with the hub; their pages are made on request."""
    taken: list[Measured] = []
    for size in sizes:
        with Register.start(size, ready=False) as register, fresh_database(server, _MIGRATED) as url:
            taken.append(land(server, "hub", _task(server, register, size, url)))
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
        console.print(_processor_table(speeds))
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
        table.add_row(name, f"{speeds.per_second(name):,.0f}", *_ratios(speeds, name, by_clock))
    return table


def _processor_table(speeds: Speeds) -> Table:
    table = Table(title="processor time, µs a record", title_justify="left")
    for column in ("way", "process", "database", "of the floor", "of dlt", "of the first run"):
        table.add_column(column, justify="left" if column == "way" else "right", no_wrap=True)
    for name in speeds.of:
        sides = [f"{speeds.microseconds(name, side):.1f}" for side in (by_process, by_database)]
        table.add_row(name, *sides, *_ratios(speeds, name, by_processors))
    return table


def _ratios(speeds: Speeds, name: str, cost: Cost) -> list[str]:
    against = [("floor", True), ("dlt", "dlt" in speeds.of), ("hub", name == "hub again")]
    return [f"{speeds.ratio(name, other, cost):.2f}" if known else "" for other, known in against]


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
