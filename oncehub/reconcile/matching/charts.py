"""Draws a model with Splink's charts, as HTML that needs no network."""

from __future__ import annotations

from typing import Any

import polars as pl

from oncehub.reconcile.matching.levels import terms
from oncehub.reconcile.matching.models import Model
from oncehub.reconcile.matching.splink_job import linking


def chart_of_model(model: Model) -> str:
    """Draw the weight of each level of each comparison."""
    columns = dict.fromkeys(("unique_id", *_columns_of(model)), pl.String)
    nobody = pl.DataFrame(schema=columns)
    unknown = {
        term: pl.DataFrame(schema={term: pl.String, f"tf_{term}": pl.Float64}) for term in terms(model.rules)
    }
    with linking(model.settings, nobody, nobody, unknown) as linker:
        chart: Any = linker.visualisations.match_weights_chart()
        return str(chart.to_html(inline=True))


def _columns_of(model: Model) -> list[str]:
    parts = {"name": ("", "_key", "_parts"), "commune": ("", "_present")}
    return [
        f"{attribute}{part}"
        for attribute, evidence in model.rules.compare.items()
        for part in parts.get(evidence, ("",))
    ]
