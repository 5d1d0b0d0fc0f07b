"""Drift: how the records of a batch differ from their contract where that stops none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["unknown", "changed_type", "missing"]


@dataclass(frozen=True)
class Drift:
    """A way in which records differ from their contract, noted for the engineer.

    Attributes:
        path: the field as mappings name it, `[]` after a list of which it is an item; `*` stands for a
            name that may hold personal data.
        found: the JSON type seen, or `absent`.
        records: how many records of the batch differ so.
    """

    path: str
    kind: Kind
    found: str
    records: int
