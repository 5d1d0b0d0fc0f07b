"""Scores the blocked pairs with Splink."""

from __future__ import annotations

from typing import Final

import polars as pl

from oncehub.reconcile.matching.levels import DATASETS, terms
from oncehub.reconcile.matching.models import Model, frequencies_of
from oncehub.reconcile.matching.splink_job import completed, linking
from oncehub.store.connection import Connection

_RETAIN: Final = ("retain_matching_columns", "retain_intermediate_calculation_columns")


def score(
    connection: Connection,
    model: Model,
    records: pl.DataFrame,
    people: pl.DataFrame,
    pairs: pl.DataFrame,
    *,
    at_least: float | None = None,
    weights: bool = True,
) -> pl.DataFrame:
    """Score pairs; a pair's score depends on the pair and the model alone.

    Args:
        connection: of the database with the model's term frequencies.
        model: the model to score by.
        records: as `frame_of_records` gives them.
        people: as `frame_of_people` gives them.
        pairs: `record` and `person`, each the `unique_id` of one side.
        at_least: leave out pairs of a lower probability.
        weights: return the levels and weights, too, which cost more than the score.

    Returns:
        One row a pair, as of Splink's `predict`: `match_probability`, `unique_id_l` (person), `unique_id_r`
        (record), and the level and weights of each comparison, which `evidence` reads.
    """
    frequencies = completed(_known(connection, model, records, people), model.people, records, people)
    person, record = DATASETS
    blocked = pairs.select(
        pl.lit("0").alias("match_key"),
        (pl.lit(f"{person}-__-") + pl.col("person")).alias("join_key_l"),
        (pl.lit(f"{record}-__-") + pl.col("record")).alias("join_key_r"),
    )
    settings = model.settings | dict.fromkeys(_RETAIN, weights)
    with linking(settings, people, records, frequencies) as linker:
        tables = linker.table_management
        tables.register_blocked_pairs_for_predict(tables.register_table(blocked.to_arrow(), "pairs"))
        scored: pl.DataFrame = (
            linker.inference.predict(threshold_match_probability=at_least or None).as_duckdbpyrelation().pl()
        )
        return scored


def _known(connection: Connection, model: Model, *frames: pl.DataFrame) -> dict[str, pl.DataFrame]:
    stated = (frame[term] for frame in frames for term in terms(model.rules))
    met = {value for column in stated for value in column.drop_nulls().unique()}
    return frequencies_of(connection, model, sorted(met))
