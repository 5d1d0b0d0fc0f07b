"""How an error of the hub ends an Airflow task: in one sentence, and postponed, tried again or failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg2
from airflow.sdk.exceptions import AirflowRescheduleException

from oncehub.airflow.retries import HOPELESS, NONSENSE, OUTAGE, Delays, TaskEnded
from oncehub.errors import (
    ContractBroken,
    OncehubError,
    ResourcesExhausted,
    RunBusy,
    StoreUnavailable,
    Throttled,
    TransientError,
)
from oncehub.store.failures import describe, may_pass

logger = logging.getLogger(__name__)

LONGEST_POSTPONED: Final = timedelta(days=1)
"""How long after the start of its run a task is postponed; then it fails."""


@contextmanager
def clear_failures(begun: datetime | None = None) -> Iterator[None]:
    """Raise the hub's errors as Airflow takes them, with one sentence each.

    Args:
        begun: when the DAG run began; a task whose source asks to wait is then postponed, otherwise retried.

    Raises:
        AirflowRescheduleException: when a source asks to wait; Airflow runs the task again afterwards, and
            does not count this as a retry.
        TaskEnded: for all other errors.
    """
    try:
        yield
    except Throttled as error:
        raise _postponed(error, begun) from None
    except (TransientError, StoreUnavailable, ResourcesExhausted, RunBusy) as error:
        raise _ended(str(error), OUTAGE) from None
    except ContractBroken as error:
        raise _ended(str(error), NONSENSE) from None
    except OncehubError as error:
        raise _ended(str(error), HOPELESS) from None
    except psycopg2.Error as error:
        # The message may quote a row, and rows are personal data: only code and names are logged.
        raise _ended(describe(error), OUTAGE if may_pass(error) else HOPELESS) from None


def _ended(sentence: str, delays: Delays) -> TaskEnded:
    logger.error("%s", sentence)
    return TaskEnded(sentence, delays)


def _postponed(error: Throttled, begun: datetime | None) -> BaseException:
    if begun is None:
        return _ended(str(error), OUTAGE)
    now = datetime.now(UTC)
    # In seconds: a source may ask to wait until a time that is out of the range of datetime.
    if error.retry_after > (begun + LONGEST_POSTPONED - now).total_seconds():
        hours = LONGEST_POSTPONED // timedelta(hours=1)
        return _ended(f"{error}; that is more than {hours} hours after the run began", HOPELESS)
    due = now + timedelta(seconds=error.retry_after)
    logger.warning("%s; the task is postponed until %s", error, due.isoformat(timespec="seconds"))
    return AirflowRescheduleException(due)  # type: ignore[no-untyped-call]
