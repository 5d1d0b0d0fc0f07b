"""The Merkle tree of RFC 6962 over a log that only grows: roots, proofs and their verification.

The hashes of a tree are read as C2SP's tiles hold them: at level `l`, the hash with index `i` is that of the
entries from `i * 256**l` up to `(i + 1) * 256**l`. Sources: RFC 6962, section 2.1; RFC 9162, sections 2.1.3.2
and 2.1.4.2 for verification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from oncehub.audit.log.hashing import HASH_BYTES, node_hash, root_hash

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
EMPTY_ROOT: Final = sha256().digest()

MOST_PROOF_HASHES: Final = 63
"""The longest proof of a tree whose size is a 63-bit number."""


class Hashes(Protocol):
    """Where the hashes of a tree are kept."""

    def hashes(self, level: int, start: int, stop: int) -> Sequence[bytes]:
        """Return the hashes of a level with the indexes from `start` up to `stop`.

        Raises:
            LookupError: when one of them is not there.
        """


@dataclass(frozen=True)
class Completed:
    """A hash of a level above the entries, whose 256 hashes of the level below are complete."""

    level: int
    index: int
    hash: bytes


@dataclass
class Edge:
    """A tree that grows at its right edge: it keeps the roots of its largest complete subtrees only.

    Attributes:
        size: entries of the tree.
    """

    size: int = 0
    _subtrees: list[tuple[int, bytes]] = field(default_factory=list)

    @classmethod
    def read(cls, hashes: Hashes, size: int) -> Edge:
        """Return the edge of the tree with the first `size` entries; reads at most 255 hashes a level."""
        edge = cls(size)
        for level in reversed(range(size.bit_length() // TILE_HEIGHT + 1)):
            complete = size >> (level * TILE_HEIGHT)
            start = complete & -TILE_WIDTH
            for each in hashes.hashes(level, start, complete) if complete > start else ():
                edge._push(level * TILE_HEIGHT, each)
        return edge

    def copy(self) -> Edge:
        """Return an edge of its own for the same tree."""
        return Edge(self.size, [*self._subtrees])

    def extend(self, leaves: Iterable[bytes]) -> list[Completed]:
        """Add the hashes of entries; return the hashes of higher levels that they complete."""
        completed = []
        for leaf in leaves:
            self.size += 1
            for height, each in self._push(0, leaf):
                if height % TILE_HEIGHT == 0:
                    completed.append(Completed(height // TILE_HEIGHT, (self.size >> height) - 1, each))
        return completed

    def root(self) -> bytes:
        """Return the hash of the tree."""
        return _joined(each for _, each in self._subtrees) if self._subtrees else EMPTY_ROOT

    def _push(self, height: int, each: bytes) -> list[tuple[int, bytes]]:
        """Add a complete subtree; return those that it completes."""
        completed = []
        while self._subtrees and self._subtrees[-1][0] == height:
            _, left = self._subtrees.pop()
            height, each = height + 1, node_hash(left, each)
            completed.append((height, each))
        self._subtrees.append((height, each))
        return completed


def tree_root(hashes: Hashes, size: int) -> bytes:
    """Return the root of the tree with the first `size` entries."""
    return Edge.read(hashes, size).root()


def inclusion_proof(hashes: Hashes, index: int, size: int) -> list[bytes]:
    """Return the audit path of an entry in the tree with the first `size` entries, its sibling first.

    Raises:
        ValueError: when the tree has no such entry.
        LookupError: when a hash is missing.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} entries has no entry {index}")
    beside, _ = _way_to(index, size, lambda start, stop: stop - start == 1)
    return [_subtree(hashes, *part) for part in reversed(beside)]


def consistency_proof(hashes: Hashes, old: int, size: int) -> list[bytes]:
    """Return the proof that the tree with the first `old` entries is the beginning of the one with `size`.

    Raises:
        ValueError: when `old` is larger.
        LookupError: when a hash is missing.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} entries has no beginning of {old}")
    if old in (0, size):
        return []
    beside, (start, stop) = _way_to(old - 1, size, lambda _, stop: stop == old)
    if start:
        beside.append((start, stop))
    return [_subtree(hashes, *part) for part in reversed(beside)]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that the entry with the hash `leaf` is in the tree at its index."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for each in proof:
        if not last:
            return False
        if place & 1 or place == last:
            found = node_hash(each, found)
            place, last = _above_left_ends(place, last)
        else:
            found = node_hash(found, each)
        place, last = place >> 1, last >> 1
    return not last and found == root


def is_consistent(
    old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> bool:  # the order of RFC 9162
    """Whether the proof shows that the tree with `old_root` is the beginning of the one with `root`."""
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if not 0 < old < size or not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for each in path[1:]:
        if not last:
            return False
        if place & 1 or place == last:
            before, after = node_hash(each, before), node_hash(each, after)
            place, last = _above_left_ends(place, last)
        else:
            after = node_hash(after, each)
        place, last = place >> 1, last >> 1
    return not last and (before, after) == (old_root, root)


def pieces(content: bytes) -> list[bytes]:
    """Split hashes that stand one after the other."""
    return [content[start : start + HASH_BYTES] for start in range(0, len(content), HASH_BYTES)]


def _above_left_ends(place: int, last: int) -> tuple[int, int]:
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _way_to(
    index: int, size: int, ends: Callable[[int, int], bool]
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Go from the root down to an entry; return the parts beside the way, and the part that it ends at."""
    start, stop, beside = 0, size, []
    while not ends(start, stop):
        middle = start + _largest_power_below(stop - start)
        if index < middle:
            beside.append((middle, stop))
            stop = middle
        else:
            beside.append((start, middle))
            start = middle
    return beside, (start, stop)


def _largest_power_below(number: int) -> int:
    return 1 << ((number - 1).bit_length() - 1)


def _subtree(hashes: Hashes, start: int, stop: int) -> bytes:
    """Return the hash of the entries from `start`, which divides by the largest power of two in the part."""
    parts: list[bytes] = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        level, rest = divmod(height, TILE_HEIGHT)
        first = start >> (level * TILE_HEIGHT)
        parts.append(root_hash(hashes.hashes(level, first, first + (1 << rest))))
        start += 1 << height
    return _joined(parts)


def _joined(parts: Iterable[bytes]) -> bytes:
    *before, joined = parts
    for left in reversed(before):
        joined = node_hash(left, joined)
    return joined
