"""What the operator decides: retention periods (`retention.yaml`), and when alarms are sent."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from oncehub.config.documents import Document, Section
from oncehub.config.quantities import Age, Duration

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
same of notices that it has not acknowledged; expired assertions; finished landings and reconcile runs that
another of their kind has followed, and what is noted of releases."""


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


class AlarmRules(Document):
    """`mappings/rules/alarms.yaml`: how long something may be wrong before an alarm is sent.

    Attributes:
        database_down: the hub's database refuses its use.
        run_failing: a stream's runs fail, counted from the first failure after a success.
        stream_stale: a stream has not been read since a run was due by its connector's schedule.
        run_stuck: a running read has landed no page.
        reconcile_late: landed records wait for `reconcile`.
        publish_late: changes of golden records wait for `publish`.
        log_unsigned: the oldest line of the access log waits for its checkpoint.
        consumer_behind: a client has not acknowledged an entry of its feed.
        quarantine_growing: so many rejected records of a stream wait for a fix.
        airflow_unhealthy: Airflow, or one of its components, sends no heartbeat.
        api_not_ready: the API cannot answer look-ups.
        disk_full: less than so many percent of a disk is free.
        repeat: how long after a notification the same alarm is sent again.
    """

    database_down: Duration
    run_failing: Duration
    stream_stale: Duration
    run_stuck: Duration
    reconcile_late: Duration
    publish_late: Duration
    log_unsigned: Duration
    consumer_behind: Duration
    quarantine_growing: Annotated[int, Field(ge=1)]
    airflow_unhealthy: Duration
    api_not_ready: Duration
    disk_full: Annotated[float, Field(gt=0, lt=100)]
    repeat: Duration
