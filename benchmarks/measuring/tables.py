"""Tables of figures that fit a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.measuring.scores import Cases, Score
from benchmarks.measuring.server import Statement


def figures(title: str, first: str, *others: str, caption: str | None = None) -> Table:
    """Return an empty table with a column of names and columns of figures."""
    table = Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column(first, no_wrap=True)
    for column in others:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def statement_table(what: str, slowest: Sequence[Statement]) -> Table:
    """Return a table of statements: seconds, and the first words."""
    table = Table("s", "statement", title=f"{what}: slowest statements", title_justify="left")
    for each in slowest:
        table.add_row(f"{each.seconds:.3f}", each.beginning)
    return table


def score_table(title: str, group: str, scores: Mapping[str, Score], *, caption: str | None = None) -> Table:
    """Return a table of counts and rates by group."""
    columns = ("found", "wrong", "expected", "missed", "precision", "recall", "F1")
    table = figures(title, group, *columns, caption=caption)
    for name, score in scores.items():
        counts = (score.found, score.found - score.right, score.expected, score.expected - score.reached)
        table.add_row(name, *(f"{count:,}" for count in counts), *rates_of(score))
    return table


def rates_of(score: Score) -> Iterable[str]:
    """Return precision, recall and F1 as text."""
    return (f"{rate:.4f}" for rate in score.rates.values())


def case_table(title: str, cases: Mapping[str, Cases]) -> Table:
    """Return a table of the right decisions on cases, by kind."""
    table = figures(title, "kind", "opened", "same", "different")
    for kind, each in cases.items():
        table.add_row(kind, f"{each.opened:,}", f"{each.same:,}", f"{each.different:,}")
    return table
