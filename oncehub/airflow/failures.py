"""How an error of the hub ends an Airflow task: it is postponed, retried, or fails at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg2
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from oncehub.errors import (
    OncehubError,
    ResourcesExhausted,
    RunBusy,
    StoreUnavailable,
    Throttled,
    TransientError,
)
from oncehub.store.failures import describe, may_pass

logger = logging.getLogger(__name__)

RETRYABLE = (TransientError, StoreUnavailable, ResourcesExhausted, RunBusy)
"""Errors after which a retry may succeed; all other errors of the hub need a person."""

LONGEST_POSTPONED = timedelta(days=1)
"""How long after the start of its run a task is postponed; then it fails."""


@contextmanager
def clear_failures(begun: datetime | None = None) -> Iterator[None]:
    """Raise the hub's errors as Airflow's, with one line each.

    Args:
        begun: when the DAG run began; a task whose source asks to wait is then postponed, otherwise retried.

    Raises:
        AirflowRescheduleException: when a source asks to wait; Airflow runs the task again afterwards, and
            does not count this as a retry.
        AirflowException: when a retry may succeed; Airflow retries with backoff.
        AirflowFailException: for all other errors, e.g. refused credentials; Airflow does not retry.
    """
    try:
        yield
    except Throttled as error:
        raise _postponed(error, begun) from None
    except RETRYABLE as error:
        raise AirflowException(str(error)) from None
    except OncehubError as error:
        raise AirflowFailException(str(error)) from None
    except psycopg2.Error as error:
        if may_pass(error):
            raise AirflowException(describe(error)) from None
        # The message may quote a row, and rows are personal data: only code and names are logged.
        raise AirflowFailException(describe(error)) from None


def _postponed(error: Throttled, begun: datetime | None) -> AirflowException:
    if begun is None:
        return AirflowException(str(error))
    now = datetime.now(UTC)
    # In seconds: a source may ask to wait until a time that is out of the range of datetime.
    if error.retry_after > (begun + LONGEST_POSTPONED - now).total_seconds():
        hours = LONGEST_POSTPONED // timedelta(hours=1)
        return AirflowFailException(f"{error}; that is more than {hours} hours after the run began")
    due = now + timedelta(seconds=error.retry_after)
    logger.warning("%s; the task is postponed until %s", error, due.isoformat(timespec="seconds"))
    return AirflowRescheduleException(due)  # type: ignore[no-untyped-call]
