"""What reading a stream yields, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from oncehub.connect.resume_token import ResumeToken

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page:
    """Some records of a stream, as the source sent them.

    Attributes:
        records: usually objects; anything else that the source lists stays as sent, for the contract to
            refuse.
        next: where to continue after this page; None on the last one.
        number: 1 for the first page of a read, counted over all its phases. A resumed read that starts anew
            begins with number 1.
        total: how many records the whole read is known to hold, where the source declares it.
        kind: `deletions`: every entry states only that a record was deleted.
        watermark: where set, what a cursor by sequence counts for this page instead of its records' numbers:
            on pages of a snapshot the sequence before it began; on pages of children of changed parents the
            highest sequence among the parents asked so far.
        of_snapshot: whether it lists the stream's `snapshot`, not what changed.
        token: on the last page, from which to ask for later changes, where the stream's changes are so.
        remarks: what the source does not heed of what it was asked, for the engineer.
        size: see `Content.size`; 0 where it is little.
    """

    records: list[Any]
    next: ResumeToken | None
    number: int
    total: int | None
    kind: Literal["records", "deletions"] = "records"
    watermark: int | None = None
    of_snapshot: bool = False
    size: int = 0
    token: str | None = None
    remarks: tuple[str, ...] = ()


def with_last(items: Iterator[Item]) -> Iterator[tuple[Item, bool]]:
    """Yield each of one or more items, and whether it is the last: only the last page has no `next`."""
    held = next(items)
    for item in items:
        yield held, False
        held = item
    yield held, True
