"""Starts Splink jobs over frames of records and people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl

from oncehub.errors import ResourcesExhausted, StoreError
from oncehub.exhaustion import remedy
from oncehub.reconcile.matching.levels import DATASETS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from splink import Linker

Frequencies = Mapping[str, pl.DataFrame]
"""Column -> frame of that column and `tf_<column>`."""


@contextmanager
def duckdb_connection() -> Iterator[DuckDBPyConnection]:
    """Give a new DuckDB in memory.

    Raises:
        StoreError: DuckDB fails; its own message, which could hold values, is left out.
    """
    import duckdb  # noqa: PLC0415 - a run that matches no record does not need it

    with duckdb.connect() as connection:
        try:
            yield connection
        except duckdb.OutOfMemoryException as error:
            raise ResourcesExhausted(f"matching: {remedy(error) or 'memory has ended'}") from None
        except duckdb.Error as error:
            message = f"matching failed in DuckDB: {type(error).__name__}; its memory may be too small"
            raise StoreError(message) from None


@contextmanager
def linking(
    settings: dict[str, Any], people: pl.DataFrame, records: pl.DataFrame, frequencies: Frequencies
) -> Iterator[Linker]:
    """Give a new link-only job over the two frames, with the given term frequencies.

    Raises:
        StoreError: as `duckdb_connection` does.
    """
    # It takes half a second to import, and a run that scores nothing does not need it.
    from splink import DuckDBAPI, Linker  # noqa: PLC0415

    with duckdb_connection() as connection:
        # Sums in another order, by several threads, would differ in the last digits.
        connection.execute("set preserve_insertion_order = true")
        api = DuckDBAPI(connection)
        sides = [
            api.register(frame.to_arrow(), dataset_display_name=name)
            for name, frame in zip(DATASETS, (people, records), strict=True)
        ]
        linker = Linker(sides, settings, log_level=None, validate_settings=False)
        for column, frame in frequencies.items():
            known = api.register(frame.to_arrow(), table_name=f"frequency_of_{column}")
            linker.table_management.register_term_frequency_lookup(known, column)
        yield linker


def completed(frequencies: Frequencies, people: int, *frames: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the frequency of every value in the frames: the stored one, or that of a single bearer."""
    found = {}
    for term, known in frequencies.items():
        met = pl.concat([frame.select(term) for frame in frames]).drop_nulls().unique()
        share = pl.col(f"tf_{term}").fill_null(1 / people)
        found[term] = met.join(known, on=term, how="left").with_columns(share).sort(term)
    return found
