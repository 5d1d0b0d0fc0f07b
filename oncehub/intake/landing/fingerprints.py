"""Fingerprints of records: whether the rows made from a record are the same as the last time."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

import polars as pl

from oncehub.config.entities import Entity

_PRINT: Final = pl.col("fingerprint")


def fingerprinted(
    keys: pl.DataFrame, frames: Mapping[str, pl.DataFrame], entities: Mapping[str, Entity]
) -> pl.DataFrame:
    """Add `fingerprint` (Int64) to the records in `keys`: a digest of all rows that `frames` hold of each.

    Rows count in any order; statement times do not count. Another version of Polars may give others, so
    different fingerprints prove no difference, and equal ones are for records of equal statement time.
    """
    printed = [
        frame.select(
            "source_key", pl.struct(*entities[name].attributes).hash(_seed(name)).alias("fingerprint")
        )
        for name, frame in frames.items()
        if frame.height
    ]
    if not printed:
        return keys.with_columns(pl.lit(0, dtype=pl.Int64).alias("fingerprint"))
    # Numbers of 64 bits wrap around when added up, and only the bits count.
    summed = pl.concat(printed).group_by("source_key").agg(_PRINT.sum())
    signed = _PRINT.fill_null(0).reinterpret(signed=True)
    return keys.join(summed, on="source_key", how="left", maintain_order="left").with_columns(signed)


def _seed(entity: str) -> int:
    """Let equal rows of two entities differ."""
    return zlib.crc32(entity.encode())
