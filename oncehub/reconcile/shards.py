"""Divides people into shards by ranges of their keys, so that several workers can process them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

_KEYS = 2**128
_WORTH_SPLITTING = 2_000
_LARGEST = 250_000


@dataclass(frozen=True)
class Shard:
    """One of `of` equal ranges of keys; keys are digests, so that people are spread evenly.

    Attributes:
        number: counted from 0.
        of: how many shards there are; 1 means all people.
    """

    number: int = 0
    of: int = 1

    @property
    def first(self) -> UUID:
        """The lowest key of this shard."""
        return UUID(int=self.number * _KEYS // self.of)

    @property
    def last(self) -> UUID:
        """The highest key of this shard."""
        return UUID(int=(self.number + 1) * _KEYS // self.of - 1)

    @property
    def keys(self) -> dict[str, str]:
        """The parameters `first` and `last` of statements that are limited to this shard."""
        return {"first": str(self.first), "last": str(self.last)}


ALL_PEOPLE = Shard()


def shards_for(people: int, most: int) -> list[Shard]:
    """Divide a number of people into at most `most` shards; a few people stay in one.

    Each shard reads all records for itself, so that few large shards cost less than many: there are four,
    until they are too large for memory.
    """
    of = max(1, min(4, people // _WORTH_SPLITTING), min(most, people // _LARGEST))
    return [Shard(number, of) for number in range(of)]
