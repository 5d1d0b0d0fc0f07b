"""Columns of the simulated world: numpy arrays that are changed in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


class Table:
    """Named columns of equal length. Rows are never removed: a row's number is its identity."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self.columns: dict[str, Array] = dict(columns)
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            message = f"columns of unequal length: {sorted(lengths)}"
            raise ValueError(message)

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __setitem__(self, name: str, values: Array) -> None:
        self.columns[name] = values

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def append(self, rows: Table) -> Array:
        """Add `rows` (same columns) at the end; returns their row numbers."""
        start = len(self)
        for name, column in self.columns.items():
            self.columns[name] = np.concatenate([column, rows[name].astype(column.dtype)])
        return np.arange(start, len(self))

    def take(self, rows: Array) -> Table:
        """A copy of the given rows."""
        return Table({name: column[rows] for name, column in self.columns.items()})
