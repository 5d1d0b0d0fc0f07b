"""Measures how well and how fast records without identifiers are linked: part of `make bench`.

Or `python -m benchmarks.matching --records 20000`. The given number of records without identifiers is linked
to a register of as many people (`benchmarks/data/anonymous.py`), in turns and each time in a fresh copy of
that hub, by

- the hub: the link phase of `oncehub reconcile`, from dirty marks to links and cases, committed;
- Splink, called directly with the same trained model and the same blocking, from the same tables to links in
  the same database (`benchmarks/peers/splink_alone.py`).

Both are compared with the truth that only the simulation knows. A link is right when the record is about
exactly that person; an unlinked record of a person in the register is missed, even where it became a case.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from psycopg2 import sql
from rich.console import Console
from rich.table import Table

from benchmarks.data.anonymous import ROOT, prepare, score
from benchmarks.measuring.costs import Cost, costing
from benchmarks.measuring.scores import ALL, Score
from benchmarks.measuring.server import Server, Statement, server_in
from benchmarks.measuring.tables import figures, score_table, statement_table
from benchmarks.peers.splink_alone import link_by_splink
from oncehub.reconcile.matching.matcher import MatchReport
from oncehub.reconcile.run import link_changes
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect

_COPY: Final = "copied"
_AT_LEAST_MS: Final = 20


@dataclass(frozen=True)
class Round:
    """The costs of both ways, once each."""

    hub: Cost
    splink: Cost


@dataclass(frozen=True)
class Measured:
    """The result of linking records without identifiers.

    Attributes:
        records: number of records without identifiers, and of people before one in twenty was removed.
        prepared: costs of training and activating the model; empty where the hub was already prepared.
        matching: what the hub's model decided.
        hub: scores of the hub's links, of all and by source.
        splink: scores of Splink's.
        rounds: costs.
        slowest: statements of the hub's last round, the slowest first.
    """

    records: int
    prepared: dict[str, Cost]
    matching: MatchReport
    hub: dict[str, Score]
    splink: dict[str, Score]
    rounds: list[Round]
    slowest: list[Statement]

    def ratio(self, seconds: Callable[[Cost], float]) -> float:
        """Return the hub's cost divided by Splink's: the median ratio of the rounds."""
        return statistics.median(seconds(each.hub) / seconds(each.splink) for each in self.rounds)


def measure(server: Server, home: Path, records: int, rounds: int) -> Measured:
    """Prepare a hub, unless it exists, and link its records both ways in copies of it."""
    ready = f"ready_{records}"
    prepared = {} if server.has(ready) else _prepared(server, home, ready, records)
    taken: list[Round] = []
    for _ in range(rounds):
        splink, of_splink = _linked_by_splink(server, ready, records)
        hub, of_hub, matching, slowest = _linked_by_hub(server, home, ready, records)
        taken.append(Round(hub, splink))
    return Measured(records, prepared, matching, of_hub, of_splink, taken, slowest)


def _prepared(server: Server, home: Path, ready: str, records: int) -> dict[str, Cost]:
    preparing = f"preparing_{records}"
    costs = prepare(server, home, preparing, records)
    server.rename(preparing, ready)
    return costs


def _linked_by_splink(server: Server, ready: str, records: int) -> tuple[Cost, dict[str, Score]]:
    with _copied(server, ready) as connection:
        with costing(server) as cost:
            link_by_splink(connection)
        return cost(), score(connection, sql.Identifier("splink_link"), records)


def _linked_by_hub(
    server: Server, home: Path, ready: str, records: int
) -> tuple[Cost, dict[str, Score], MatchReport, list[Statement]]:
    with _copied(server, ready) as connection:
        with server.logging_statements(_COPY, _AT_LEAST_MS) as slowest, costing(server) as cost:
            report = link_changes(Settings(ROOT, home, server.url(_COPY)))
        return cost(), score(connection, sql.Identifier("truth", "link"), records), report.matching, slowest


@contextmanager
def _copied(server: Server, ready: str) -> Iterator[Connection]:
    server.create(_COPY, template=ready)
    server.settle(_COPY)
    with closing(connect(server.url(_COPY))) as connection:
        yield connection
    server.drop(_COPY)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=2, help="how often each way links")
    parser.add_argument(
        "--home", type=Path, help="where the server keeps the prepared hub for the next time; else it goes"
    )
    parser.add_argument(
        "--statements", type=int, default=0, metavar="N", help="show the hub's N slowest ones"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    arguments = parser.parse_args()
    with server_in(arguments.home) as (server, home):
        taken = measure(server, home, arguments.records, arguments.rounds)
    if arguments.json:
        print(json.dumps(_document(taken, arguments.statements)))
    else:
        _print(Console(), taken, arguments.statements)


def _document(taken: Measured, statements: int) -> dict[str, Any]:
    return asdict(taken) | {
        "slowest": [asdict(each) for each in taken.slowest[:statements]],
        "f1": taken.hub[ALL].f1,
        "wall": taken.ratio(_wall),
        "processor": taken.ratio(_processor),
    }


def _print(console: Console, taken: Measured, statements: int) -> None:
    report = taken.matching
    caption = (
        f"the hub judged {report.judged:,}: {report.linked:,} links, {report.cases:,} cases for a clerk; "
        f"{report.oversized:,} keys were oversized"
    )
    title = f"{taken.records:,} records without identifiers"
    by_source = {f"  {source}": each for source, each in taken.hub.items() if source != ALL}
    scores = {"hub": taken.hub[ALL], **by_source, "Splink": taken.splink[ALL]}
    console.print(score_table(title, "linked by", scores, caption=caption))
    console.print(_cost_table(taken))
    if statements:
        console.print(statement_table("the hub", taken.slowest[:statements]))
    console.print(_goal_table(taken))


def _cost_table(taken: Measured) -> Table:
    table = figures(
        "seconds", "what", "wall", "database", "process", caption="database and process: processor"
    )
    for name, cost in taken.prepared.items():
        _add_cost(table, f"{name}, once", cost)
    for number, each in enumerate(taken.rounds, start=1):
        _add_cost(table, f"Splink, round {number}", each.splink)
        _add_cost(table, f"hub, round {number}", each.hub)
    return table


def _add_cost(table: Table, name: str, cost: Cost) -> None:
    table.add_row(name, *(f"{each:.2f}" for each in (cost.seconds, cost.database, cost.process)))


def _goal_table(taken: Measured) -> Table:
    table = figures("compared", "figure", "reached", "goal")
    table.add_row("F1 of the hub's links", f"{taken.hub[ALL].f1:.4f}", "at least 0.97")
    table.add_row("hub to Splink, wall clock", f"{taken.ratio(_wall):.2f}", "at most 1")
    table.add_row("hub to Splink, processor time", f"{taken.ratio(_processor):.2f}", "")
    return table


def _wall(cost: Cost) -> float:
    return cost.seconds


def _processor(cost: Cost) -> float:
    return cost.processor


if __name__ == "__main__":
    main()
