"""Counting how right a hub is: what it found, held against what there was to find.

A link is right when the record is about that very person. A discrepancy is right when there is one of that
kind, about that person, in that attribute, of that record. Nothing counts for half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

RECORD: Final = ("source", "stream", "source_key")
LINK: Final = (*RECORD, "register_id")
DISCREPANCY: Final = (*LINK, "attribute", "kind")
ALL: Final = "all"


@dataclass(frozen=True)
class Score:
    """Counts of one group of links or discrepancies.

    Attributes:
        found: what the hub says.
        right: of those, what is so.
        expected: what there was to find.
        reached: of those, what was found.
    """

    found: int
    right: int
    expected: int
    reached: int

    @property
    def precision(self) -> float:
        """Share of what was found that is right; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of what there was to find that was found; 1 where there was nothing."""
        return self.reached / self.expected if self.expected else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def rates(self) -> dict[str, float]:
        """All three, by name."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class Cases:
    """Cases of one kind.

    Attributes:
        opened: those a clerk is to decide.
        same: of those, whose record is about a person named.
        different: whose record is about somebody else, or about nobody in the register.
    """

    opened: int
    same: int
    different: int


def score_links(linked: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Score]:
    """Scores of links: of all, and by method.

    Of a method, `found` is what it linked; `expected` are the records whose identifiers lead to their person
    by it, and they are reached when linked to that person, by whatever method. Where no identifier leads to
    the person (`none`, `wrong_person`), nothing but the model can.

    Args:
        linked: one row a link: `LINK`, method; without the register's own records.
        truth: the same of whom each record is about, method as in `WholeTruth`.
    """
    right = linked.join(truth, on=LINK, how="semi")
    reached = truth.join(linked, on=LINK, how="semi")
    return _grouped(linked, right, truth, reached, by="method")


def score_discrepancies(found: pl.DataFrame, truth: pl.DataFrame, by: str = "kind") -> dict[str, Score]:
    """Scores, of all and by kind or attribute; both frames have the columns `DISCREPANCY`."""
    right = found.join(truth, on=DISCREPANCY, how="semi")
    reached = truth.join(found, on=DISCREPANCY, how="semi")
    return _grouped(found, right, truth, reached, by=by)


def weigh_cases(cases: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Cases]:
    """What the cases come to, by kind.

    Args:
        cases: one row for each person that a case names: `LINK`, kind.
        truth: `LINK`, whom each record is about.
    """
    each = (*RECORD, "kind")
    same = _counts(cases.join(truth, on=LINK, how="semi").unique(each), "kind")
    return {
        kind: Cases(opened, same.get(kind, 0), opened - same.get(kind, 0))
        for kind, opened in sorted(_counts(cases.unique(each), "kind").items())
    }


def _grouped(*frames: pl.DataFrame, by: str) -> dict[str, Score]:
    counts = [_counts(frame, by) for frame in frames]
    groups = sorted({group for each in counts for group in each})
    scores = {ALL: Score(*(frame.height for frame in frames))}
    return scores | {group: Score(*(each.get(group, 0) for each in counts)) for group in groups}


def _counts(frame: pl.DataFrame, by: str) -> dict[str, int]:
    return dict(frame.group_by(by).len().iter_rows())
