"""Shares of the people to settle, for as many workers as there are."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

_KEYS = 2**128
_WORTH_SPLITTING = 2_000
_LARGEST = 250_000


@dataclass(frozen=True)
class Part:
    """One of `of` equal shares of all people, by their keys, which are digests and so evenly spread.

    Attributes:
        number: counted from 0.
        of: how many parts there are; 1 means everybody.
    """

    number: int = 0
    of: int = 1

    @property
    def first(self) -> UUID:
        """The lowest key of this part."""
        return UUID(int=self.number * _KEYS // self.of)

    @property
    def last(self) -> UUID:
        """The highest key of this part."""
        return UUID(int=(self.number + 1) * _KEYS // self.of - 1)

    @property
    def keys(self) -> dict[str, str]:
        """The parameters `first` and `last` of statements that are kept to this part."""
        return {"first": str(self.first), "last": str(self.last)}


EVERYBODY = Part()


def parts_for(people: int, most: int) -> list[Part]:
    """Divide a number of people into at most `most` parts; a few are not worth more than one.

    Each part reads all records for its own, so few large parts cost less than many: four, until they are too
    large to be held in memory.
    """
    of = max(1, min(4, people // _WORTH_SPLITTING), min(most, people // _LARGEST))
    return [Part(number, of) for number in range(of)]
