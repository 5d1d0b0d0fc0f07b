"""Checks over whole frames, and the rows that fail them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

Stage = Literal["contract", "mapping", "canonical"]

ROW = "#row"
"""Column of every working frame: the record's place in the batch. No source field begins with #."""


@dataclass(frozen=True)
class Check:
    """Something that must not be.

    Attributes:
        broken: boolean expression, true where the row fails; null counts as false.
        reason: what is wrong, without any value.
        path: source field or `entity.attribute`.
    """

    broken: pl.Expr
    stage: Stage
    reason: str
    path: str


@dataclass(frozen=True)
class Fault:
    """A row that failed a check."""

    row: int
    stage: Stage
    reason: str
    path: str


def faults(frame: pl.DataFrame, checks: Sequence[Check]) -> list[Fault]:
    """Return the failures of all checks, in the order of the checks."""
    if not checks or frame.is_empty():
        return []
    marks = frame.select(check.broken.fill_null(False).alias(str(i)) for i, check in enumerate(checks))
    counts = marks.sum().row(0)
    return [
        Fault(row, check.stage, check.reason, check.path)
        for i, check in enumerate(checks)
        if counts[i]
        for row in frame[ROW].filter(marks.to_series(i))
    ]
