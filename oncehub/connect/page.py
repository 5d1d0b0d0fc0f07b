"""What reading a stream yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

PageState = dict[str, Any]
"""JSON-able: all that a later process needs to fetch the page after this one."""


@dataclass(frozen=True)
class Page:
    """Some records of a stream, as the source sent them.

    Attributes:
        records: usually objects; whatever else the source lists stays as sent, for the contract to refuse.
        next: where to go on after this page; None on the last one.
        number: 1 for the first page of a read, counted over all its phases. A resumed read that starts anew
            says so by number 1.
        total: how many records the whole read is known to hold, where the source declares it.
        kind: `deletions`: every entry says of a record only that it was deleted.
        watermark: where stated, what a cursor by sequence counts for this page instead of its records'
            numbers: on pages of a snapshot the sequence before it began; on pages of children of changed
            parents the highest sequence among the parents asked so far.
        of_snapshot: whether it lists the stream's `snapshot`, not what changed.
    """

    records: list[Any]
    next: PageState | None
    number: int
    total: int | None
    kind: Literal["records", "deletions"] = "records"
    watermark: int | None = None
    of_snapshot: bool = False
