"""When Airflow tries a failed task again: as the error says that ended its last try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

Delays = tuple[timedelta, ...]
"""How long after each failed try the next one follows."""

OUTAGE: Final[Delays] = (
    timedelta(seconds=30),
    timedelta(seconds=90),
    timedelta(minutes=4, seconds=30),
    timedelta(minutes=13, seconds=30),
)
"""A source, the database or a resource is away: it mostly comes back within minutes."""

NONSENSE: Final[Delays] = (timedelta(minutes=5),)
"""A source answers with what its contract excludes, e.g. a maintenance page: rarely this passes."""

HOPELESS: Final[Delays] = ()
"""Only a person can help, e.g. refused credentials."""


class TaskEnded(SystemExit):
    """Ends a task without a traceback: Airflow logs one line for an exit, and asks `Retries` what follows.

    Attributes:
        delays: of further tries.
    """

    def __init__(self, sentence: str, delays: Delays) -> None:
        super().__init__(sentence)
        self.delays = delays


class Retries(RetryPolicy):
    """Tries a task again as the error of its last try says, after exactly the times that are promised.

    Airflow's own backoff would wait up to twice as long. For what is no error of the hub, such as a killed
    worker, the task's own `retries` and `retry_delay` hold.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Decide what follows a failed try."""
        del max_tries, context
        if not isinstance(exception, TaskEnded):
            return RetryDecision.default()
        if try_number > len(exception.delays):
            return RetryDecision.fail(
                "a person is needed" if try_number == 1 else "it has been tried often enough"
            )
        return RetryDecision.retry(exception.delays[try_number - 1])
