"""Tables of figures, narrow enough for a terminal of 80 columns and for a log."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.server import Statement


def figures(title: str, first: str, *others: str, caption: str | None = None) -> Table:
    """An empty table: a column of names, then columns of figures."""
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
    """Seconds and beginnings of statements."""
    table = Table("s", "statement", title=f"{what}: slowest statements", title_justify="left")
    for each in slowest:
        table.add_row(f"{each.seconds:.3f}", each.beginning)
    return table
