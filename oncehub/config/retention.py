"""`mappings/rules/retention.yaml`: how long each kind of data is kept, and why as long."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from oncehub.config.documents import Document, Section
from oncehub.config.quantities import Age

Kind = Literal[
    "rejected_payloads",
    "deleted_records",
    "person_versions",
    "closed_discrepancies",
    "closed_case_evidence",
    "superseded_feed_entries",
    "filled_forms",
    "landed_submissions",
    "settled_notices",
    "unacknowledged_notices",
    "used_assertions",
    "finished_runs",
]
"""What is purged: rejected records that were resolved; records that their source deleted; what was believed
earlier; discrepancies that were closed; what a closed case showed; values in feed lines that a later line of
the same person has replaced; which forms were filled; which were answered, once that has landed; values in
lines of notices that have closed or were replaced, where their source acknowledged that, and where it never
did; assertions that have expired; runs that another of their kind has followed."""


class RetentionRule(Section):
    """How long a kind is kept after it has come to its end.

    Attributes:
        keep: counted from when it was resolved, deleted, replaced, closed, published, filled, answered,
            expired or finished.
        because: the legal reason, or what it is needed for.
    """

    keep: Age
    because: Annotated[str, Field(min_length=1)]


class RetentionRules(Document):
    """`retention.yaml`: every kind has a rule, so that none is kept without a reason."""

    kinds: dict[Kind, RetentionRule]

    @model_validator(mode="after")
    def _complete(self) -> RetentionRules:
        if missing := [kind for kind in get_args(Kind) if kind not in self.kinds]:
            raise ValueError(f"kinds: {', '.join(missing)} has no rule; write keep and because")
        if self.kinds["deleted_records"].keep < self.kinds["person_versions"].keep:
            raise ValueError(
                "kinds.deleted_records is kept for a shorter time than kinds.person_versions, whose history "
                "tells the former numbers that they state; keep it as long"
            )
        if self.kinds["unacknowledged_notices"].keep < self.kinds["settled_notices"].keep:
            raise ValueError(
                "kinds.unacknowledged_notices is kept for a shorter time than kinds.settled_notices, which "
                "their source has; keep it as long"
            )
        return self
