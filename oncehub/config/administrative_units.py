"""Reads the administrative units of 2025 from `mappings/codes`: the communes, and which became which."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from oncehub.errors import ConfigError

REFORM = "2025-07-01"
"""First day of the 34 provinces and 3,321 communes (Nghị quyết 202/2025/QH15)."""

FORMER_EDITION = "2024-12-01"
"""First day of the last catalogue of communes before the reform of 2025."""


def read_successors(mappings: Path) -> pl.DataFrame:
    """Read former_unit and present_unit (5-digit codes) and split (bool: it has several successors).

    Raises:
        ConfigError: when the file cannot be read or lacks a column.
    """
    frame = _read(
        mappings / "codes" / "admin_unit_successors.csv",
        pl.col("old_ward_code").alias("former_unit"),
        pl.col("new_ward_code").alias("present_unit"),
        (pl.col("relation") == "split").alias("split"),
    )
    return frame.filter(pl.col("former_unit").is_not_null()).unique(["former_unit", "present_unit"])


def read_provinces(mappings: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read unit and province, 5 and 2 digits, of the present communes and of those before the reform.

    Raises:
        ConfigError: when a file cannot be read or lacks a column.
    """
    codes = mappings / "codes"
    province = pl.col("province_code").alias("province")
    present = _read(codes / "admin_units.csv", pl.col("ward_code").alias("unit"), province)
    former = _read(
        codes / "admin_unit_successors.csv",
        pl.col("old_ward_code").alias("unit"),
        pl.col("old_province_code").alias("province"),
    )
    return present, former.filter(pl.col("unit").is_not_null()).unique()


def _read(path: Path, *columns: pl.Expr) -> pl.DataFrame:
    try:
        return pl.read_csv(path, infer_schema=False).select(columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(
            f"{path}: cannot be read as the list of administrative units: {type(error).__name__}"
        ) from None
