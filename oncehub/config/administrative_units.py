"""Reads the administrative units of 2025 from `mappings/codes`: the communes, and which became which."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from oncehub.errors import ConfigError

FORMER_EDITION: Final = "2024-12-01"
"""First day of the last catalogue of communes before the reform of 2025."""

REFORM: Final = "2025-07-01"
"""First day of the 34 provinces and 3,321 communes (Nghị quyết 202/2025/QH15)."""


class Successor(NamedTuple):
    """A present commune that has a part of the area of a former one, both by 5-digit code.

    Attributes:
        split: the former commune has several successors.
    """

    former_unit: str
    present_unit: str
    split: bool


def read_successors(mappings: Path) -> list[Successor]:
    """Read each pair of a former and a present commune once.

    Raises:
        ConfigError: when the file cannot be read or lacks a column.
    """
    rows = _read(_successors(mappings), "old_ward_code", "new_ward_code", "relation")
    splits = {(former, present): relation == "split" for former, present, relation in rows if former}
    return [Successor(*pair, split) for pair, split in splits.items()]


def read_provinces(mappings: Path) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Read unit and province, 5 and 2 digits, of the present communes and of those before the reform.

    Raises:
        ConfigError: when a file cannot be read or lacks a column.
    """
    present = set(_read(_units(mappings), "ward_code", "province_code"))
    former = _read(_successors(mappings), "old_ward_code", "old_province_code")
    return present, {row for row in former if row[0]}


def _units(mappings: Path) -> Path:
    return mappings / "codes" / "admin_units.csv"


def _successors(mappings: Path) -> Path:
    return mappings / "codes" / "admin_unit_successors.csv"


def _read(path: Path, *columns: str) -> Iterator[tuple[str, ...]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield tuple(row[column] for column in columns)
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ConfigError(
            f"{path}: cannot be read as the list of administrative units: {type(error).__name__}"
        ) from None
