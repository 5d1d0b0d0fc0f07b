"""Checks over whole frames: each finds the rows that fail it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

Stage = Literal["contract", "mapping", "canonical"]

ROW = "#row"
"""Column of every working frame: the record's place in the batch. No source field begins with #."""


KEY_BYTES: Final = 1000
"""The longest key in UTF-8: an entry of a PostgreSQL index takes 2,704 bytes in all."""

TEXT_BYTES: Final = 10_000
"""The longest text of an attribute in UTF-8."""


@dataclass(frozen=True)
class Check:
    """A condition that no row may meet.

    Attributes:
        broken: boolean expression, true where the row fails; null counts as false.
        reason: what is wrong, without any value.
        path: source field or `entity.attribute`.
        lost: two columns; the second must have a value wherever the first has one.
    """

    broken: pl.Expr
    stage: Stage
    reason: str
    path: str
    lost: tuple[str, str] | None = None

    def may_fail(self, frame: pl.DataFrame) -> bool:
        """Tell whether any row can fail, from the null counts that Polars keeps."""
        if self.lost is None:
            return frame.height > 0
        before, after = self.lost
        return frame[after].null_count() > frame[before].null_count()


@dataclass(frozen=True)
class Fault:
    """A row that failed a check."""

    row: int
    stage: Stage
    reason: str
    path: str


def faults(frame: pl.DataFrame, checks: Sequence[Check]) -> list[Fault]:
    """Return the failures of all checks, in the order of the checks."""
    suspect = [check for check in checks if check.may_fail(frame)]
    if not suspect:
        return []
    failed = frame.select(check.broken.any().alias(str(i)) for i, check in enumerate(suspect)).row(0)
    return [
        Fault(row, check.stage, check.reason, check.path)
        for check, fails in zip(suspect, failed, strict=True)
        if fails
        for row in frame.filter(check.broken)[ROW]
    ]
