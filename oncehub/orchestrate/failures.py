"""How an error of the hub ends an Airflow task: retried where that may cure it, failed at once otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from oncehub.model.errors import OncehubError, RunBusy, StoreUnavailable, TransientError
from oncehub.store.failures import describe

CURABLE = (TransientError, StoreUnavailable, RunBusy)
"""Errors that a later try may cure; every other one of the hub's needs a person."""


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn the hub's errors into Airflow's, one line each.

    Raises:
        AirflowException: for what a retry may cure; Airflow retries with backoff.
        AirflowFailException: for the rest, e.g. refused credentials; Airflow does not retry.
    """
    try:
        yield
    except CURABLE as error:
        raise AirflowException(str(error)) from None
    except OncehubError as error:
        raise AirflowFailException(str(error)) from None
    except psycopg2.OperationalError as error:
        raise AirflowException(describe(error)) from None
    except psycopg2.Error as error:
        # Its message may quote a row, and rows are personal data: only code and names go into the log.
        raise AirflowFailException(describe(error)) from None
