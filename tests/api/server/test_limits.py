from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from oncehub.api.core.limits import DayLimit, SecondLimit
from oncehub.config.agreements import Agreement
from oncehub.errors import TooManyRequests
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import VIETNAM
from oncehub.store.connection import Connection

WHO = {"person.personal_id": "001084000999"}


def limited(agreement: Agreement, **limits: int) -> Agreement:
    return agreement.model_copy(update={"limits": agreement.limits.model_copy(update=limits)})


@pytest.fixture
def agreement(editable: Settings) -> Agreement:
    return load_agreements(editable)["portal-residence"]


def test_a_second_holds_what_the_agreement_says_and_no_more(agreement: Agreement) -> None:
    clock = [100.0]
    limit = SecondLimit(lambda: clock[0])
    three = limited(agreement, per_second=3)
    for _ in range(3):
        limit.take(three)
    with pytest.raises(TooManyRequests) as refused:
        limit.take(three)
    assert refused.value.retry_after == 1
    limit.take(limited(agreement, per_second=3).model_copy(update={"name": "another"}))
    clock[0] += 1 / 3 + 0.001
    limit.take(three)
    clock[0] += 3600
    for _ in range(3):
        limit.take(three)
    with pytest.raises(TooManyRequests):
        limit.take(three)


def test_a_day_ends_at_midnight_in_vietnam(agreement: Agreement, database: Connection) -> None:
    clock = [datetime(2026, 7, 6, 23, 59, 30, tzinfo=VIETNAM)]
    limit = DayLimit(lambda: clock[0])
    two = limited(agreement, per_day=2)
    limit.take(database, two)
    limit.take(database, two)
    with pytest.raises(TooManyRequests) as refused:
        limit.take(database, two)
    assert refused.value.retry_after == 30
    clock[0] += timedelta(seconds=30)
    limit.take(database, two)


def test_a_restart_goes_on_counting_from_the_log(
    portal: Any, agreement: Agreement, believe: Callable[..., str]
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    hub = portal.http.app.state.hub
    for _ in range(3):
        assert portal.lookup(WHO, ["person.sex"]).status_code == 200
    again = DayLimit()
    with hub.database.transaction() as connection, pytest.raises(TooManyRequests):
        again.take(connection, limited(agreement, per_day=3))


def test_a_caller_over_the_limit_gets_the_time_to_retry(
    portal: Any, agreement: Agreement, believe: Callable[..., str], log: Any
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    portal.http.app.state.hub.agreements["portal-residence"] = limited(agreement, per_day=1)
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200
    answer = portal.lookup(WHO, ["person.full_name"])
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Nguyễn" not in answer.text
    assert len(log()) == 1
