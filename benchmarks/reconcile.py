"""Measures the cost of reconciling all records, and of reconciling changes.

Run by `make bench`, or `python -m benchmarks.reconcile`.

A hub filled with the simulated population (no HTTP) reconciles everything; then the rows it wrote are copied
by plain `insert … select` into empty twins of the same tables, which is the floor; then one person in a
hundred changes in every source, several times over, and the hub reconciles that. All in one database of the
embedded server with its own settings. With several `--people` the last size is compared with the first. With
`--rounds` all sizes are measured in turns, each time in a fresh copy, and the medians of the ratios count.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.data.changes import change_one_in_a_hundred
from benchmarks.data.filling import COVERAGE, fill
from benchmarks.measuring.costs import Cost, costing
from benchmarks.measuring.server import Server, Statement, server_in
from benchmarks.measuring.tables import figures, statement_table
from benchmarks.peers.floor import Written, copy_into_twins, drop_twins, make_twins
from oncehub.initialise import initialise
from oncehub.reconcile.run import ReconcileReport, reconcile
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from stubs.world.world import World

ROOT: Final = Path(__file__).resolve().parents[1]
SEED: Final = 1
TEN_TIMES: Final = 10
_AT_LEAST_MS: Final = 5


@dataclass(frozen=True)
class Phases:
    """Elapsed seconds of a reconcile's phases, and the number of people in each shard."""

    linking: float
    settling: float
    shards: list[int]

    @classmethod
    def of(cls, report: ReconcileReport) -> Phases:
        """Read them from a report."""
        return cls(report.link_seconds, report.seconds - report.link_seconds, report.shards)


@dataclass(frozen=True)
class Increment:
    """A reconcile after a hundredth of the people changed."""

    people: int
    records: int
    cost: Cost
    phases: Phases


@dataclass(frozen=True)
class Measured:
    """The measurements of one size.

    Attributes:
        people: records of the register.
        records: records that were dirty at first.
        full: cost of reconciling all of them.
        phases: phases of the full reconcile.
        floor: cost of copying the rows that it wrote.
        written: number of these rows by table.
        increments: the reconciles of changes that followed.
        slowest: statements of the full run, the slowest first.
        slowest_of_increment: those of the first increment.
    """

    people: int
    records: int
    full: Cost
    phases: Phases
    floor: Cost
    written: dict[str, int]
    increments: list[Increment]
    slowest: list[Statement]
    slowest_of_increment: list[Statement]

    @property
    def of_floor(self) -> float:
        """Elapsed time of a full reconcile divided by that of the floor."""
        return self.full.seconds / self.floor.seconds

    @property
    def increment(self) -> Cost:
        """The increment of median elapsed time; of two, the longer one."""
        return sorted((each.cost for each in self.increments), key=lambda cost: cost.seconds)[
            len(self.increments) // 2
        ]

    @property
    def of_full(self) -> float:
        """Elapsed time of an increment divided by that of a full reconcile."""
        return self.increment.seconds / self.full.seconds


def ensure_filled(server: Server, home: Path, people: int) -> str:
    """Return the name of a database with a filled, unreconciled hub; fill one if there is none."""
    name, filling = f"filled_{people}", f"filling_{people}"
    if not server.has(name):
        server.create(filling)
        settings = Settings(ROOT, home, server.url(filling))
        initialise(settings, make_keys=True)
        fill(settings, World.generate(people, SEED, coverage=COVERAGE))
        server.settle(filling)
        server.rename(filling, name)
    return name


def measure(server: Server, home: Path, people: int, increments: int) -> Measured:
    """Measure one size in a fresh copy of a filled hub, the database `measured_<people>`."""
    name = f"measured_{people}"
    server.create(name, template=ensure_filled(server, home, people))
    settings = Settings(ROOT, home, server.url(name))
    initialise(settings, make_keys=True)
    with closing(connect(server.url(name))) as connection:
        before = Written.of(connection)
        full, report, slowest = _reconciled(server, name, settings)
        written = Written.of(connection).since(before)
        floor = _floor(server, name, connection, written)
        followed, slowest_of_increment = list[Increment](), list[Statement]()
        for hundredth in range(increments):
            changed = change_one_in_a_hundred(connection, hundredth)
            cost, followed_by, statements = _reconciled(server, name, settings)
            increment = Increment(changed.people, changed.records, cost, Phases.of(followed_by))
            followed.append(increment)
            slowest_of_increment = slowest_of_increment or statements
    return Measured(
        people=people,
        records=report.dirty,
        full=full,
        phases=Phases.of(report),
        floor=floor,
        written=written,
        increments=followed,
        slowest=slowest,
        slowest_of_increment=slowest_of_increment,
    )


def _reconciled(
    server: Server, name: str, settings: Settings
) -> tuple[Cost, ReconcileReport, list[Statement]]:
    server.settle(name)
    with server.logging_statements(name, _AT_LEAST_MS) as statements, costing(server) as cost:
        report = reconcile(settings)
    return cost(), report, statements


def _floor(server: Server, name: str, connection: Connection, written: dict[str, int]) -> Cost:
    make_twins(connection, written)
    server.settle(name)
    with costing(server) as cost:
        copy_into_twins(connection, written)
    drop_twins(connection)
    return cost()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, nargs="+", default=[100_000])
    parser.add_argument("--rounds", type=int, default=1, help="how often each size is measured")
    parser.add_argument("--increments", type=int, default=3, help="how often a hundredth changes")
    parser.add_argument("--home", type=Path, help="where the server keeps its data; else a folder that goes")
    parser.add_argument(
        "--keep", action="store_true", help="keep in --home the filled hubs, for the next time"
    )
    parser.add_argument("--statements", type=int, default=0, metavar="N", help="show the N slowest ones")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    arguments = parser.parse_args()
    if arguments.keep and not arguments.home:
        parser.error("--keep needs --home")
    with server_in(arguments.home) as (server, home):
        rounds = [
            [measure(server, home, people, arguments.increments) for people in arguments.people]
            for _ in range(arguments.rounds)
        ]
        settings = server.settings()
        if not arguments.keep:
            for people in arguments.people:
                server.drop(f"filled_{people}")
                server.drop(f"measured_{people}")
    if arguments.json:
        print(json.dumps(_document(rounds, settings, arguments.statements), ensure_ascii=False))
    else:
        _print(Console(), rounds, settings, arguments.statements)


def _document(
    rounds: Sequence[Sequence[Measured]], settings: dict[str, str], statements: int
) -> dict[str, Any]:
    sizes = [
        asdict(each)
        | {
            "round": number,
            "of_floor": each.of_floor,
            "of_full": each.of_full,
            "slowest": [asdict(one) for one in each.slowest[:statements]],
            "slowest_of_increment": [asdict(one) for one in each.slowest_of_increment[:statements]],
        }
        for number, taken in enumerate(rounds, start=1)
        for each in taken
    ]
    growth = [taken[-1].full.seconds / taken[0].full.seconds for taken in rounds if len(taken) > 1]
    return {"settings": settings, "sizes": sizes, "growth": growth}


def _print(
    console: Console, rounds: Sequence[Sequence[Measured]], settings: dict[str, str], statements: int
) -> None:
    console.print(", ".join(f"{name} {value}" for name, value in settings.items()))
    for each in (each for taken in rounds for each in taken):
        console.print(_cost_table(each))
        console.print(_written_table(each))
        if statements:
            console.print(statement_table("everything", each.slowest[:statements]))
            console.print(statement_table("changed", each.slowest_of_increment[:statements]))
    console.print(_goal_table(rounds))


def _cost_table(taken: Measured) -> Table:
    columns = ("records", "wall s", "database s", "process s", "of all")
    parts = f"all people settled in {_sizes(taken.phases.shards)}; database and process: processor time"
    table = figures(f"{taken.people:,} people", "reconciled", *columns, caption=parts)
    _add(table, taken, "everything", taken.records, taken.full)
    _add_phases(table, taken, taken.phases)
    for each in taken.increments:
        _add(table, taken, f"{each.people:,} people changed", each.records, each.cost)
        _add_phases(table, taken, each.phases)
    _add(table, taken, "floor: rows copied", sum(taken.written.values()), taken.floor)
    return table


def _add(table: Table, taken: Measured, what: str, records: int, cost: Cost) -> None:
    seconds = (f"{each:.2f}" for each in (cost.seconds, cost.database, cost.process))
    table.add_row(what, f"{records:,}", *seconds, _share(cost.seconds, taken))


def _add_phases(table: Table, taken: Measured, phases: Phases) -> None:
    for phase, seconds in (("linking", phases.linking), ("settling", phases.settling)):
        table.add_row(f"  {phase}", "", f"{seconds:.2f}", "", "", _share(seconds, taken))


def _share(seconds: float, taken: Measured) -> str:
    return f"{100 * seconds / taken.full.seconds:.2f} %"


def _sizes(shards: Sequence[int]) -> str:
    if len(shards) == 1:
        return "one shard"
    return f"{len(shards)} shards of {min(shards):,} to {max(shards):,} people"


def _written_table(taken: Measured) -> Table:
    table = figures("what everything wrote", "table", "rows")
    for name, rows in taken.written.items():
        table.add_row(name, f"{rows:,}")
    return table


def _goal_table(rounds: Sequence[Sequence[Measured]]) -> Table:
    columns = ("wall", "low", "high", "processor", "goal")
    table = figures("compared", "ratio: medians", *columns)
    by_size = list(zip(*rounds, strict=True))
    for taken in by_size:
        people = f"{taken[0].people:,} people"
        _compare(table, f"{people}: everything to floor", [(each.full, each.floor) for each in taken], "4")
        changed = [(each.increment, each.full) for each in taken]
        _compare(table, f"{people}: 1 % to everything", changed, "0.03")
    if len(by_size) > 1:
        times = by_size[-1][0].people / by_size[0][0].people
        goal = "11" if times == TEN_TIMES else ""
        grown = [(taken[-1].full, taken[0].full) for taken in rounds]
        _compare(table, f"{times:g} times the people", grown, goal)
    return table


def _compare(table: Table, what: str, pairs: Sequence[tuple[Cost, Cost]], goal: str) -> None:
    wall = [one.seconds / other.seconds for one, other in pairs]
    processor = [one.processor / other.processor for one, other in pairs]
    shown = (statistics.median(wall), min(wall), max(wall), statistics.median(processor))
    table.add_row(what, *(f"{each:.3g}" for each in shown), goal)


if __name__ == "__main__":
    main()
