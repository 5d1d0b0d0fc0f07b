"""Tries transforms on samples: how many values they read, and in which forms dates are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from oncehub.config.mapping import Transform
from oncehub.normalize.transforms import dates
from oncehub.normalize.transforms.registry import Transforms

_MOST_FORMS = 3
_MONTH_FIRST = "M/d/yyyy"


class Trial:
    """Tries the transforms that the mappings of a folder may name."""

    def __init__(self, mappings: Path) -> None:
        self._transforms = Transforms(mappings)

    def read(self, via: Sequence[Transform], values: Sequence[Any]) -> list[Any]:
        """Put values through transforms in order; None for each that one of them cannot read."""
        expression = pl.col("value")
        for step in via:
            _, change, _ = self._transforms.named(step)
            expression = change(expression)
        series = pl.Series("value", [str(value) for value in values], dtype=pl.String)
        return series.to_frame().select(expression.alias("read"))["read"].to_list()

    def failures(self, via: Sequence[Transform], values: Sequence[Any]) -> int:
        """Count the values that cannot be read."""
        return sum(value is None for value in self.read(via, values))

    def refitted(self, step: Transform, values: Sequence[Any]) -> Transform:
        """Return a step that reads dates with the forms that fit the values; any other step unchanged."""
        if isinstance(step, dict) and set(step) <= {"date", "partial_date"} and values:
            (name,) = step
            forms = self.fitting_forms(values, whole=name == "date")
            return {name: forms[0] if len(forms) == 1 else forms} if forms else step
        return step

    def fitting_forms(self, values: Sequence[Any], *, whole: bool) -> list[str]:
        """Return the fewest date forms that read these values, the most frequent first; day before month.

        The month comes first only where every value is readable so and not otherwise.
        """
        known = [name for name, form in dates.FORMS.items() if form.whole or not whole]
        usual = self._fewest(values, [name for name in known if name != _MONTH_FIRST])
        if usual and self.failures(({"partial_date": usual},), values) == 0:
            return usual
        alone = ({"partial_date": _MONTH_FIRST},)
        return [_MONTH_FIRST] if self.failures(alone, values) == 0 else usual

    def _fewest(self, values: Sequence[Any], known: Sequence[str]) -> list[str]:
        left = list(values)
        chosen: list[str] = []
        while left and len(chosen) < _MOST_FORMS:
            best = min(known, key=lambda form: self.failures(({"partial_date": form},), left))
            read = self.read(({"partial_date": best},), left)
            rest = [value for value, got in zip(left, read, strict=True) if got is None]
            if len(rest) == len(left):
                break
            chosen.append(best)
            left = rest
        return chosen
