"""Which failures Airflow tries again, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowRescheduleException

from oncehub.airflow.failures import clear_failures
from oncehub.airflow.retries import HOPELESS, NONSENSE, OUTAGE, Retries, TaskEnded
from oncehub.errors import (
    AuthenticationError,
    ConfigError,
    ContractBroken,
    OncehubError,
    RunBusy,
    SourceUnavailable,
    StoreOutdated,
    StoreUnavailable,
    Throttled,
)
from oncehub.store.connection import Connection

CURABLE = [
    SourceUnavailable("tax: down"),
    Throttled("tax: wait", 5),
    RunBusy("busy"),
    StoreUnavailable("no database"),
]
INCURABLE = [
    AuthenticationError("tax: refused"),
    ConfigError("x.yaml:1:1: wrong"),
    StoreOutdated("run: oncehub init"),
]


def raised_by(error: Exception) -> TaskEnded:
    with pytest.raises(TaskEnded) as caught, clear_failures():
        raise error
    return caught.value


@pytest.mark.parametrize("error", CURABLE, ids=lambda error: type(error).__name__)
def test_what_a_retry_may_cure_is_retried(error: OncehubError) -> None:
    assert raised_by(error).delays == OUTAGE
    assert str(raised_by(error)) == str(error)


def test_what_makes_no_sense_is_retried_once() -> None:
    assert raised_by(ContractBroken("tax: broken")).delays == NONSENSE


@pytest.mark.parametrize("error", INCURABLE, ids=lambda error: type(error).__name__)
def test_what_no_retry_cures_fails_at_once(error: OncehubError) -> None:
    assert raised_by(error).delays == HOPELESS
    assert str(raised_by(error)) == str(error)


def test_retries_follow_after_exactly_the_promised_times() -> None:
    decided = [Retries().evaluate(TaskEnded("down", OUTAGE), number, 4) for number in (1, 2, 3, 4, 5)]
    assert [each.retry_delay and each.retry_delay.total_seconds() for each in decided] == [
        30,
        90,
        270,
        810,
        None,
    ]
    assert decided[-1].action is RetryAction.FAIL
    # A worker that was killed, or a fault of the program: as the task's own settings say.
    assert Retries().evaluate(ZeroDivisionError(), 1, 4).action is RetryAction.DEFAULT


def postponed_by(error: Throttled, began: timedelta) -> BaseException:
    with (
        pytest.raises((TaskEnded, AirflowRescheduleException)) as caught,
        clear_failures(begun=datetime.now(UTC) - began),
    ):
        raise error
    return caught.value


def test_a_source_that_asks_for_peace_postpones_the_task(caplog: pytest.LogCaptureFixture) -> None:
    postponed = postponed_by(Throttled("tax: answered 429", 3600), timedelta(hours=22))
    assert isinstance(postponed, AirflowRescheduleException)
    assert abs(postponed.reschedule_date - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    due = postponed.reschedule_date.isoformat(timespec="seconds")
    assert f"tax: answered 429; the task is postponed until {due}" in caplog.text


@pytest.mark.parametrize("seconds", [7201, 1e9, 3e11])
def test_a_source_that_asks_for_peace_for_ever_fails_the_task_some_day(seconds: float) -> None:
    failure = postponed_by(Throttled("tax: answered 429", seconds), timedelta(hours=22))
    assert isinstance(failure, TaskEnded)
    assert failure.delays == HOPELESS
    assert str(failure) == "tax: answered 429; that is more than 24 hours after the run began"


def test_a_failure_does_not_drag_its_cause_into_the_log() -> None:
    assert raised_by(AuthenticationError("tax: refused")).__suppress_context__


def test_an_error_of_the_database_names_the_constraint_and_no_value(database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("create temporary table citizen (personal_id text constraint one_number unique)")
        cursor.execute("insert into citizen values ('001084000999')")
        with pytest.raises(psycopg2.errors.UniqueViolation) as caught:
            cursor.execute("insert into citizen values ('001084000999')")

    assert "001084000999" in str(caught.value)
    failure = raised_by(caught.value)
    assert failure.delays == HOPELESS
    assert "001084000999" not in str(failure)
    assert "one_number" in str(failure)


def test_a_lost_connection_to_the_database_is_retried() -> None:
    with pytest.raises(psycopg2.OperationalError) as caught:
        psycopg2.connect("postgresql://nobody@127.0.0.1:1/none", connect_timeout=2)
    assert raised_by(caught.value).delays == OUTAGE


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), clear_failures():
        raise ZeroDivisionError
