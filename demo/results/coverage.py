"""How much of each procedure's form is prefilled, over all people whom an agreement covers."""

from __future__ import annotations

from typing import Any

from demo.stage import Stage
from oncehub.share.coverage.measure import Coverage, record_day


def measure_coverage(stage: Stage) -> list[dict[str, Any]]:
    """Measure and record coverage as the daily DAG `coverage` does, and return the figures."""
    return [_figures(each) for each in record_day(stage.settings, stage.database)]


def _figures(each: Coverage) -> dict[str, Any]:
    return {
        "procedure": each.procedure,
        "agreement": each.agreement,
        "people": each.people,
        "items": each.items,
        "filled": each.filled,
        "confirm": each.confirm,
        "papers": each.papers,
        "missing": each.missing,
        "covered": None if each.share is None else round(each.share, 4),
    }
