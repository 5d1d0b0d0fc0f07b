"""Trains a model on the records that identifiers link, and applies it to those that they do not link.

The demo counts discrepancies before that: the planted ones are those that identifiers lead to.
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.stage import Stage
from oncehub.reconcile.matching.models import activate, model_of
from oncehub.reconcile.matching.train import train
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.reconcile.run import reconcile


@dataclass(frozen=True)
class Matched:
    """How the model decided about the records that no identifier links.

    Attributes:
        learned_from: linked records that it was trained on.
        judged: records that it scored.
        linked: scored records that it linked.
        cases: scored records that it left to a clerk.
    """

    learned_from: int
    judged: int
    linked: int
    cases: int


def match_the_rest(stage: Stage) -> Matched:
    """Do as `oncehub match train --use` and `oncehub reconcile` do."""
    model = train(stage.settings, by="demo", reason="after the first load", database=stage.database)
    with stage.database:
        activate(stage.database, model, load_rulebook(stage.settings).register)
    report = reconcile(stage.settings, stage.database).matching
    labels = model_of(stage.database, model).labels
    return Matched(labels, report.judged, report.linked, report.cases)
