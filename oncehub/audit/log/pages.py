"""A page of a feed, or of correction notices, as the log holds it: one line, whoever stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.audit.signing.merkle import leaf_hash, root_hash


@dataclass(frozen=True)
class Told:
    """One line of a page: whose it is, by key; None where it tells nothing of anybody the hub knows."""

    sequence: int
    person_key: str | None


@dataclass(frozen=True)
class Page:
    """What a page gave out.

    Attributes:
        feed: a feed's name, or `corrections.<source>`.
        first: sequence of the first line given out, and `last` of the last; None where there was none.
        given: see `given_root`; None where no line was given out.
    """

    feed: str
    first: int | None
    last: int | None
    given: str | None


def page(key: bytes, feed: str, lines: Sequence[Told]) -> Page:
    """Return what the log holds of the lines, which are in order of sequence."""
    if not lines:
        return Page(feed, None, None, None)
    return Page(feed, lines[0].sequence, lines[-1].sequence, given_root(key, lines))


def given_root(key: bytes, lines: Sequence[Told]) -> str:
    """Return the Merkle root (RFC 6962) over `<sequence> <pseudonym>` of each line about somebody.

    So that whoever alters, years later, who stood in which line cannot do so unseen: the root is sealed. The
    pseudonym is that of `audit.entry`.
    """
    leaves = [
        leaf_hash(f"{line.sequence} {person_pseudonym(key, line.person_key)}".encode())
        for line in lines
        if line.person_key
    ]
    # RFC 6962: of no line at all it is the hash of nothing.
    return (root_hash(leaves) if leaves else sha256().digest()).hex()
