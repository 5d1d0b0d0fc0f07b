"""`mappings/rules/retention.yaml`: the retention period of each kind of data, and the reason for it."""

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
"""What is purged, in the order of the names above: resolved rejected records; records that their source
deleted; earlier versions of golden records; closed discrepancies; the evidence of closed cases; values of
feed entries that a later entry of the same person has replaced; records of filled forms; records of
submissions that have landed; values of closed or replaced notices that their source has acknowledged; the
same of notices that it has not acknowledged; expired assertions; finished runs that another run of their
kind has followed."""


class RetentionRule(Section):
    """The retention period of one kind.

    Attributes:
        keep: counted from the moment when it was resolved, deleted, replaced, closed, published, filled,
            answered or finished, or when it expired.
        because: the legal reason, or the purpose that needs the data.
    """

    keep: Age
    because: Annotated[str, Field(min_length=1)]


class RetentionRules(Document):
    """`retention.yaml`: a rule for every kind, so that nothing is kept without a reason."""

    kinds: dict[Kind, RetentionRule]

    @model_validator(mode="after")
    def _complete(self) -> RetentionRules:
        if missing := [kind for kind in get_args(Kind) if kind not in self.kinds]:
            raise ValueError(f"kinds: {', '.join(missing)} has no rule; write keep and because")
        if self.kinds["deleted_records"].keep < self.kinds["person_versions"].keep:
            raise ValueError(
                "kinds.deleted_records is kept for a shorter time than kinds.person_versions, whose history "
                "is needed to know which former numbers they state; keep it at least as long"
            )
        if self.kinds["unacknowledged_notices"].keep < self.kinds["settled_notices"].keep:
            raise ValueError(
                "kinds.unacknowledged_notices is kept for a shorter time than kinds.settled_notices, which "
                "their source has; keep it as long"
            )
        return self
