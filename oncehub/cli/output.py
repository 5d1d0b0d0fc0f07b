"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_SHORT = {"stream", "mode", "state"}
"""Columns whose cells stay on one line."""
_DAY = len("2026-01-31")


def show(rows: Sequence[Any], *, title: str, columns: Sequence[str], as_json: bool = False) -> None:
    """Print rows (dataclasses or mappings) as a table of `columns`, or all their fields as a JSON list.

    In a table without a column `source`, the stream is named with its source.
    """
    content = [_as_mapping(row) for row in rows]
    if as_json:
        write_json(content)
        return
    if not content:
        sys.stdout.write(f"{title}: none\n")
        return
    if "source" not in columns:
        content = [_with_full_name(row) for row in content]
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        values = [row.get(column) for row in content]
        numeric = any(isinstance(value, int | float) for value in values)
        table.add_column(
            column.replace("_", " "),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=numeric or column in _SHORT,
            min_width=_DAY if any(isinstance(value, datetime) for value in values) else None,
        )
    for row in content:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(table)


def show_one(row: Any, *, title: str, as_json: bool = False) -> None:
    """Print one row, one line for each field, and for each key of a field that is a mapping."""
    content = _as_mapping(row)
    if as_json:
        write_json(content)
        return
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in content.items():
        if isinstance(value, Mapping):
            for key, part in value.items():
                table.add_row(f"{name}: {key}", _cell(part))
        else:
            table.add_row(name, _cell(value))
    Console().print(table)


def write_json(content: Any) -> None:
    """Write one JSON document and a newline to stdout."""
    sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _as_mapping(row: Any) -> Mapping[str, Any]:
    return (
        dataclasses.asdict(row) if dataclasses.is_dataclass(row) and not isinstance(row, type) else dict(row)
    )


def _with_full_name(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if "source" in row and "stream" in row:
        return {**row, "stream": f"{row['source']}.{row['stream']}"}
    return row


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)


def until_stopped(told: str) -> None:
    """Print what the process does from now on, and wait in its main thread until it is told to stop."""
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    sys.stdout.write(f"{told}\n")
    sys.stdout.flush()
    signal.sigwait(stops)
