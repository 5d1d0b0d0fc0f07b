"""Starts Splink jobs over frames of records and people."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from oncehub.errors import OncehubError, ResourcesExhausted, StoreError
from oncehub.exhaustion import remedy, require_room
from oncehub.reconcile.matching.levels import DATASETS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from splink import Linker

_MB: Final = 2**20
_ADDRESSES, _DATA = 800 * _MB, 600 * _MB

Frequencies = Mapping[str, pl.DataFrame]
"""Column -> frame of that column and `tf_<column>`."""


@contextmanager
def duckdb_connection() -> Iterator[DuckDBPyConnection]:
    """Give a new DuckDB in memory.

    Raises:
        StoreError: DuckDB fails; its own message, which could hold values, is left out.
    """
    # Measured with two threads; DuckDB's and polars' threads keep what they have reserved.
    if "duckdb" not in sys.modules:
        require_room(_ADDRESSES, _DATA, "matching")
    import duckdb  # noqa: PLC0415 - a run that matches no record does not need it

    with duckdb.connect() as connection:
        try:
            yield connection
        except duckdb.Error as error:
            raise _failure(error) from None


def _failure(error: Exception) -> OncehubError:
    """Return what is said of a failure; the libraries' own messages could hold values."""
    advice = remedy(error)
    if advice or "OutOfMemory" in type(error).__name__:
        return ResourcesExhausted(f"matching: {advice or 'memory has ended'}")
    return StoreError(f"matching failed in DuckDB: {type(error).__name__}; its memory may be too small")


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
    from splink.internals.exceptions import SplinkException  # noqa: PLC0415

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
        try:
            yield linker
        except SplinkException as error:
            # It quotes the statement.
            raise _failure(error) from None


def completed(frequencies: Frequencies, people: int, *frames: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the frequency of every value in the frames: the stored one, or that of a single bearer."""
    found = {}
    for term, known in frequencies.items():
        met = pl.concat([frame.select(term) for frame in frames]).drop_nulls().unique()
        share = pl.col(f"tf_{term}").fill_null(1 / people)
        found[term] = met.join(known, on=term, how="left").with_columns(share).sort(term)
    return found
