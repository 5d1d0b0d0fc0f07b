"""What reading a stream yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PageState = dict[str, Any]
"""JSON-able: all that a later process needs to fetch the page after this one."""


@dataclass(frozen=True)
class Page:
    """Some records of a stream, as the source sent them.

    Attributes:
        records: usually objects; whatever else the source lists stays as sent, for the contract to refuse.
        next: where to go on after this page; None on the last one.
        number: 1 for the first page of a read. A resumed read that starts anew says so by number 1.
        total: how many records the whole read holds, where the source declares it.
    """

    records: list[dict[str, Any]]
    next: PageState | None
    number: int
    total: int | None
