"""Counts what was killed and what came of it, and prints it as a table of at most 80 columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

KINDS: Final = ("SIGKILL", "SIGTERM", "SIGSTOP", "backend", "postmaster", "immediate")
_HEADS: Final = ("kill", "term", "stop", "back", "post", "imm")
_CAPTION: Final = """
kill, term, stop: SIGKILL, SIGTERM, SIGSTOP of the process; back, post: SIGKILL
of a server process that serves a connection, of the first one; imm: immediate
shutdown of the server. runs: until status 0 after these, in all; max: at once;
s: the longest that it took to recover; diff: tables that differed afterwards."""


@dataclass
class Line:
    """What was done to one command.

    Attributes:
        kills: by kind.
        runs: how often it was run again until it ended with status 0, in all and at most.
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

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(box=None, pad_edge=False)
        table.add_column("command", no_wrap=True)
        for head in (*_HEADS, "all", "runs", "max", "s", "diff"):
            table.add_column(head, justify="right", no_wrap=True)
        for name, line in self.lines.items():
            counts = [*(line.kills[kind] for kind in KINDS), line.kills.total(), line.runs, line.most_runs]
            table.add_row(name, *map(str, counts), f"{line.seconds:.1f}", str(line.differences))
        totals = [sum(line.kills[kind] for line in self.lines.values()) for kind in KINDS]
        table.add_row("all", *map(str, (*totals, self.kills)))
        console.print(table)
        console.print(_CAPTION, highlight=False)
