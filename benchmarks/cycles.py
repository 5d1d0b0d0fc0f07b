"""How the time of a cycle follows the size of the change: `make bench` or `python -m benchmarks.cycles`.

The simulated systems serve a population over HTTP; the hub's steps run without Airflow, whose cost per task
does not depend on the data. First everything is read, then what one day changed, then what ten days changed.
The floor of each step is the same cycle with nothing changed; `share` is of the first cycle's time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_document
from oncehub.initialise import initialise
from oncehub.intake.sync import sync
from oncehub.reconcile.run import reconcile
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.feeds.entries import publish
from oncehub.store.server import start_embedded, stop_embedded
from stubs.client import Systems

ROOT = Path(__file__).resolve().parents[1]
DAYS = (1, 10)


@dataclass(frozen=True)
class Cycle:
    """The number of changed records, and seconds of elapsed time by step."""

    name: str
    changed: int
    land: float
    reconcile: float
    publish: float

    @property
    def seconds(self) -> float:
        """All steps together."""
        return self.land + self.reconcile + self.publish


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    arguments = parser.parse_args()
    console = Console()
    with _hub() as settings, Systems.start(settings.home / "systems", arguments.people, calm=True) as systems:
        cycles = [_cycle("everything", settings, systems), _cycle("nothing changed", settings, systems)]
        for days in DAYS:
            systems.advance(days)
            cycles.append(_cycle(f"{days} days later", settings, systems))
    console.print(_table(arguments.people, cycles))


@contextmanager
def _hub() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="oncehub-bench-") as folder:
        home = Path(folder)
        settings = Settings(ROOT, home, start_embedded(home / "postgres", cleanup="stop"))
        try:
            initialise(settings, make_keys=True)
            yield settings
        finally:
            stop_embedded(home / "postgres")


def _cycle(name: str, settings: Settings, systems: Systems) -> Cycle:
    changed = 0

    def land() -> None:
        nonlocal changed
        for source, connector in load_connectors(settings).items():
            connection = connection_from_document(systems.connections[source], source)
            for run in sync(settings, connector, connection):
                changed += run.accepted + run.deleted

    feeds = [agreement.feed for agreement in load_agreements(settings).values() if agreement.feed]
    return Cycle(
        name=name,
        land=_timed(land),
        reconcile=_timed(lambda: reconcile(settings)),
        publish=_timed(lambda: [publish(settings, feed) for feed in feeds]),
        changed=changed,
    )


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _table(people: int, cycles: list[Cycle]) -> Table:
    table = Table(title=f"{people:,} people", title_justify="left")
    table.add_column("cycle", no_wrap=True)
    for column in ("changed", "land s", "reconcile s", "publish s", "all s", "share"):
        table.add_column(column, justify="right")
    for cycle in cycles:
        steps = (cycle.land, cycle.reconcile, cycle.publish, cycle.seconds)
        share = f"{100 * cycle.seconds / cycles[0].seconds:.1f} %"
        table.add_row(cycle.name, f"{cycle.changed:,}", *(f"{step:.2f}" for step in steps), share)
    return table


if __name__ == "__main__":
    main()
