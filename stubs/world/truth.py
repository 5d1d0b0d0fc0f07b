"""The ground truth: which discrepancies the records hold, who each record is about, and which are broken."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from stubs.world.state import State


@dataclass(frozen=True)
class Truth:
    """What the engine should find and can never read."""

    discrepancies: pl.DataFrame
    links: pl.DataFrame
    broken: pl.DataFrame


def truth_of(state: State) -> Truth:
    """The truth about the world as it stands."""
    raise NotImplementedError(state.day)
