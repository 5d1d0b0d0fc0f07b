"""Scores what a hub found against the truth: precision, recall and F1.

A link is right when the record is about exactly that person. A discrepancy is right when the truth has one of
the same kind, person, attribute and record. Nothing counts for half.
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
        found: found by the hub.
        right: found, and in the truth.
        expected: in the truth.
        reached: in the truth, and found.
    """

    found: int
    right: int
    expected: int
    reached: int

    @property
    def precision(self) -> float:
        """`right` / `found`; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """`reached` / `expected`; 1 where nothing was expected."""
        return self.reached / self.expected if self.expected else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
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
        opened: cases that a clerk must decide.
        same: of these, cases whose record is about a person that the case names.
        different: the other opened cases.
    """

    opened: int
    same: int
    different: int


def score_links(linked: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Score]:
    """Score links, over all and by method.

    For a method, `found` counts the records that it linked; `expected` counts the records whose identifiers
    lead to their person by it, and they are reached when any method links them to that person. Where no
    identifier leads to the person (`none`, `wrong_person`), only the model can link the record.

    Args:
        linked: one row a link: `LINK`, method; without the register's own records.
        truth: `LINK` with the person of each record; method as in `WholeTruth`.
    """
    right = linked.join(truth, on=LINK, how="semi")
    reached = truth.join(linked, on=LINK, how="semi")
    return _grouped(linked, right, truth, reached, by="method")


def score_discrepancies(found: pl.DataFrame, truth: pl.DataFrame, by: str = "kind") -> dict[str, Score]:
    """Score discrepancies, over all and by kind or attribute; both frames have the columns `DISCREPANCY`."""
    right = found.join(truth, on=DISCREPANCY, how="semi")
    reached = truth.join(found, on=DISCREPANCY, how="semi")
    return _grouped(found, right, truth, reached, by=by)


def weigh_cases(cases: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Cases]:
    """Count cases by kind.

    Args:
        cases: one row for each person that a case names: `LINK`, kind.
        truth: `LINK` with the person of each record.
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
