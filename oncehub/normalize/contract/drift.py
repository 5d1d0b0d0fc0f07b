"""Drift: how records differ from their contract, told without any of their data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from oncehub.normalize.contract.strict import ITEM, MASKED

Kind = Literal["unknown", "changed_type", "missing"]

_MOST_PATHS: Final = 50
# A source may make field names of its data, as in a map by personal number.
_PLAIN_NAME: Final = re.compile(r"(?!.*\d{6})[^\s.\[\]*]{1,60}")


@dataclass(frozen=True)
class Drift:
    """A way in which records differ from their contract, noted for the engineer.

    Attributes:
        path: the field as mappings name it, `[]` after a list of which it is an item; `*` stands for a
            name that may hold personal data, and for every further name once a batch shows 50 paths.
        found: the JSON type seen, or `absent`.
        records: how many records of the batch differ so. An unknown or missing field is noted with the
            first batch that shows it.
    """

    path: str
    kind: Kind
    found: str
    records: int


@dataclass(frozen=True)
class Difference:
    """One difference of one record.

    Attributes:
        steps: names of the fields on the way, `[]` for an item of a list, `*` for a name not to be told.
        found: as in `Drift`.
    """

    steps: tuple[str, ...]
    kind: Kind
    found: str


def told(place: Iterable[str | int]) -> tuple[str, ...]:
    """The steps of a place in a record, fit to be told."""
    return tuple(ITEM if isinstance(step, int) else _name(step) for step in place)


def path_of(steps: Sequence[str]) -> str:
    """Steps as one path, e.g. `soDinhDanhCu[].tuNgay`."""
    return ".".join(steps).replace(f".{ITEM}", ITEM)


class DriftNotes:
    """Counts the differences that a batch shows."""

    def __init__(self) -> None:
        self._records: Counter[Difference] = Counter()
        self._paths: set[tuple[str, ...]] = set()

    def add(self, differences: Iterable[Difference]) -> set[Difference]:
        """Count the differences of one record, each once, and return them as they were counted."""
        counted = {self._bounded(difference) for difference in differences}
        self._records.update(counted)
        return counted

    def drift(self) -> tuple[Drift, ...]:
        """All that were counted, by path."""
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
