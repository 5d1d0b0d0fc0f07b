"""Names of communes, for people who do not know codes by heart."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Self

from oncehub.config.administrative_units import REFORM


class Places:
    """Names by 5-digit commune code and the catalogue it is read in."""

    def __init__(self, present: dict[str, str], former: dict[str, str]) -> None:
        self._present = present
        self._former = former

    @classmethod
    def load(cls, mappings: Path) -> Self:
        """Read the administrative units of the project's code lists."""
        codes = mappings / "codes"
        return cls(
            _names(codes / "admin_units.csv", "ward_code", "ward", "province"),
            _names(codes / "admin_unit_successors.csv", "old_ward_code", "old_ward", "old_province"),
        )

    def name(self, unit: str, edition: str) -> str:
        """Return `commune, province` as the catalogue of `edition` (ISO date) names it, else the code."""
        names = self._present if edition >= REFORM else self._former
        return names.get(unit, unit)


def _names(path: Path, code: str, commune: str, province: str) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row[code]: f"{row[commune]}, {row[province]}" for row in csv.DictReader(file)}
