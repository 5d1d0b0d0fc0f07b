"""Reads the administrative units of 2025 from `mappings/codes`: the communes, and which became which."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from oncehub.errors import ConfigError

FORMER_EDITION: Final = "2024-12-01"
"""First day of the last catalogue of communes before the reform of 2025."""

REFORM: Final = "2025-07-01"
"""First day of the 34 provinces and 3,321 communes (Nghị quyết 202/2025/QH15)."""

_UNITS: Final = ("ward_code", "ward", "province_code", "province")
_SUCCESSORS: Final = (
    "old_ward_code",
    "old_ward",
    "old_district",
    "old_province_code",
    "old_province",
    "new_ward_code",
    "relation",
)


class Successor(NamedTuple):
    """A present commune that has a part of the area of a former one, both by 5-digit code.

    Attributes:
        split: the former commune has several successors.
    """

    former_unit: str
    present_unit: str
    split: bool


@dataclass(frozen=True, eq=False)
class AdministrativeUnits:
    """The communes before the reform of 2025 and after it.

    Attributes:
        present: each commune of today, with the columns of `_UNITS`.
        former: each former commune and each of its successors, with the columns of `_SUCCESSORS`.
    """

    present: tuple[tuple[str, ...], ...]
    former: tuple[tuple[str, ...], ...]

    @cached_property
    def successors(self) -> tuple[Successor, ...]:
        """Each pair of a former and a present commune once."""
        splits = {(row[0], row[5]): row[6] == "split" for row in self.former}
        return tuple(Successor(*pair, split) for pair, split in splits.items())

    @cached_property
    def names(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Edition -> 5-digit code -> names: the commune first, the province last."""
        return {
            REFORM: {unit: (name, province) for unit, name, _, province in self.present},
            FORMER_EDITION: {row[0]: (row[1], row[2], row[4]) for row in self.former},
        }

    @cached_property
    def provinces(self) -> dict[str, dict[str, set[str]]]:
        """Edition -> 2-digit code of a province -> codes of its communes."""
        present = ((unit, province) for unit, _, province, _ in self.present)
        former = ((row[0], row[3]) for row in self.former)
        found: dict[str, dict[str, set[str]]] = {}
        for edition, rows in ((REFORM, present), (FORMER_EDITION, former)):
            communes = defaultdict(set)
            for unit, province in rows:
                communes[province].add(unit)
            found[edition] = dict(communes)
        return found

    @cached_property
    def counterparts(self) -> Mapping[str, Mapping[str, set[str]]]:
        """Edition -> commune -> the communes of the other edition that have a part of its area."""
        found: dict[str, dict[str, set[str]]] = {REFORM: defaultdict(set), FORMER_EDITION: defaultdict(set)}
        for former, present, _ in self.successors:
            found[FORMER_EDITION][former].add(present)
            found[REFORM][present].add(former)
        return found


def read_units(mappings: Path) -> AdministrativeUnits:
    """Read the catalogues; the same content is parsed once a process.

    Raises:
        ConfigError: when a file cannot be read or lacks a column.
    """
    present = _read(mappings / "codes" / "admin_units.csv", _UNITS)
    former = _read(mappings / "codes" / "admin_unit_successors.csv", _SUCCESSORS)
    return _units(present, former)


@lru_cache(maxsize=2)
def _units(present: tuple[tuple[str, ...], ...], former: tuple[tuple[str, ...], ...]) -> AdministrativeUnits:
    return AdministrativeUnits(present, tuple(row for row in former if row[0]))


def _read(path: Path, columns: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    try:
        return _rows(path.read_bytes(), columns)
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ConfigError(
            f"{path}: cannot be read as the list of administrative units: {type(error).__name__}"
        ) from None


@lru_cache(maxsize=4)
def _rows(content: bytes, columns: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return tuple(tuple(row[column] or "" for column in columns) for row in rows)
