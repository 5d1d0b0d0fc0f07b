"""Tables of figures, narrow enough for a terminal of 80 columns and for a log."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table


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
