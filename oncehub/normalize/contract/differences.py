"""Differences of records from their contract, counted a batch and reported without personal data.

What is stored of them over time is in `oncehub.intake.drift`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from oncehub.normalize.contract.strict import ITEM, MASKED

Kind = Literal["unknown", "changed_type", "missing"]

_MOST_PATHS: Final = 50
# A source may use data as field names, as in a map by personal number.
_PLAIN_NAME: Final = re.compile(r"(?!.*\d{6})[^\s.\[\]*]{1,60}")


@dataclass(frozen=True)
class Drift:
    """A difference from the contract that records of a batch show, noted for the engineer.

    Attributes:
        path: the field as mappings name it, with `[]` after the name of a list; `*` replaces a name that
            may hold personal data, and every further name once a batch shows 50 paths.
        found: the JSON type seen, or `absent`.
        records: number of records of the batch. Unknown and missing fields are noted only with the first
            batch that shows them.
    """

    path: str
    kind: Kind
    found: str
    records: int


@dataclass(frozen=True)
class Difference:
    """One difference of one record.

    Attributes:
        steps: names of the fields on the path, `[]` for an item of a list, `*` for a masked name.
        found: as in `Drift`.
    """

    steps: tuple[str, ...]
    kind: Kind
    found: str


def masked(place: Iterable[str | int]) -> tuple[str, ...]:
    """Return the steps of a place in a record, with names masked that may hold personal data."""
    return tuple(ITEM if isinstance(step, int) else _name(step) for step in place)


def path_of(steps: Sequence[str]) -> str:
    """Return steps as one path, e.g. `soDinhDanhCu[].tuNgay`."""
    return ".".join(steps).replace(f".{ITEM}", ITEM)


class DriftNotes:
    """Counts the differences of a batch."""

    def __init__(self) -> None:
        self._records: Counter[Difference] = Counter()
        self._paths: set[tuple[str, ...]] = set()

    def add(self, differences: Iterable[Difference]) -> set[Difference]:
        """Count the differences of one record, each once, and return them as counted."""
        counted = {self._bounded(difference) for difference in differences}
        self._records.update(counted)
        return counted

    def drift(self) -> tuple[Drift, ...]:
        """Return all differences counted, by path."""
        drift = (
            Drift(path_of(each.steps), each.kind, each.found, records)
            for each, records in self._records.items()
        )
        return tuple(sorted(drift, key=lambda each: (each.path, each.kind, each.found)))

    def _bounded(self, difference: Difference) -> Difference:
        steps = difference.steps
        if steps not in self._paths and len(self._paths) >= _MOST_PATHS:
            return Difference((*steps[:-1], MASKED), difference.kind, difference.found)
        self._paths.add(steps)
        return difference


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) and name.isprintable() else MASKED
