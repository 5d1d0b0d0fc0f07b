"""How an error of the hub ends an Airflow task: postponed, retried where that may cure, or failed at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg2
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from oncehub.errors import OncehubError, RunBusy, StoreUnavailable, Throttled, TransientError
from oncehub.store.failures import describe

logger = logging.getLogger(__name__)

CURABLE = (TransientError, StoreUnavailable, RunBusy)
"""Errors that a later try may cure; every other one of the hub's needs a person."""

LONGEST_POSTPONED = timedelta(days=1)
"""A source that still asks for peace so long after the run began has failed it."""


@contextmanager
def clear_failures(begun: datetime | None = None) -> Iterator[None]:
    """Turn the hub's errors into Airflow's, one line each.

    Args:
        begun: when the DAG run began. With it a task whose source asks for peace is postponed.

    Raises:
        AirflowRescheduleException: for a source that asks for peace; Airflow runs the task again at that
            moment, which counts as no retry.
        AirflowException: for what else a retry may cure; Airflow retries with backoff.
        AirflowFailException: for the rest, e.g. refused credentials; Airflow does not retry.
    """
    try:
        yield
    except Throttled as error:
        raise _postponed(error, begun) from None
    except CURABLE as error:
        raise AirflowException(str(error)) from None
    except OncehubError as error:
        raise AirflowFailException(str(error)) from None
    except psycopg2.OperationalError as error:
        raise AirflowException(describe(error)) from None
    except psycopg2.Error as error:
        # Its message may quote a row, and rows are personal data: only code and names go into the log.
        raise AirflowFailException(describe(error)) from None


def _postponed(error: Throttled, begun: datetime | None) -> AirflowException:
    if begun is None:
        return AirflowException(str(error))
    now = datetime.now(UTC)
    # As seconds, for a source may name a moment that no date can hold.
    if error.retry_after > (begun + LONGEST_POSTPONED - now).total_seconds():
        hours = LONGEST_POSTPONED // timedelta(hours=1)
        return AirflowFailException(f"{error}; that is over {hours} hours after the run began")
    due = now + timedelta(seconds=error.retry_after)
    logger.warning("%s; the task goes on at %s", error, due.isoformat(timespec="seconds"))
    return AirflowRescheduleException(due)  # type: ignore[no-untyped-call]
