"""Fingerprints of records: they tell whether a record makes the same rows as the last time."""

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
    """Add `fingerprint` (Int64) to the records in `keys`: a digest of the rows that `frames` has of each.

    The order of rows and the times of statement do not count. Another version of Polars may give another
    digest, so different fingerprints prove no difference; compare them for equal times of statement only.
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
    # The sum of 64-bit numbers wraps around; only its bits count.
    summed = pl.concat(printed).group_by("source_key").agg(_PRINT.sum())
    signed = _PRINT.fill_null(0).reinterpret(signed=True)
    return keys.join(summed, on="source_key", how="left", maintain_order="left").with_columns(signed)


def _seed(entity: str) -> int:
    """Make equal rows of two entities have different digests."""
    return zlib.crc32(entity.encode())
