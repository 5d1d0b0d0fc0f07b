"""Counts what was killed and what came of it, and prints it as a table of at most 80 columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_SHORT = {
    "SIGKILL": "kill",
    "SIGTERM": "term",
    "SIGSTOP": "stop",
    "postmaster": "server",
    "immediate": "immed.",
}


@dataclass
class Line:
    """What was done to one command.

    Attributes:
        kills: by kind.
        runs: how often it was run again until it ended with status 0, at most and in all.
        seconds: the longest that it took to recover.
        differences: tables that differed afterwards.
    """

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    most_runs: int = 0
    seconds: float = 0.0
    differences: int = 0

    def recovered(self, seconds: float, runs: int = 1) -> None:
        """Note how often it was run until it ended well, and the seconds of the last time."""
        self.runs += runs
        self.most_runs = max(self.most_runs, runs)
        self.seconds = max(self.seconds, seconds)


@dataclass
class Report:
    """Lines by command."""

    lines: defaultdict[str, Line] = field(default_factory=lambda: defaultdict(Line))

    @property
    def kills(self) -> int:
        """How many kills there were."""
        return sum(line.kills.total() for line in self.lines.values())

    @property
    def kinds(self) -> Counter[str]:
        """How many kills there were of each kind."""
        return sum((line.kills for line in self.lines.values()), Counter[str]())

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        table.add_column("command", no_wrap=True)
        kinds = list(self.kinds)
        for column in (
            *(_SHORT.get(kind, kind) for kind in kinds),
            "kills",
            "re-runs",
            "most",
            "s",
            "differ",
        ):
            table.add_column(column, justify="right")
        for name, line in self.lines.items():
            counts = [*(line.kills[kind] for kind in kinds), line.kills.total(), line.runs, line.most_runs]
            table.add_row(name, *map(str, counts), f"{line.seconds:.1f}", str(line.differences))
        table.add_row("all", *(str(self.kinds[kind]) for kind in kinds), str(self.kills))
        console.print(table)
