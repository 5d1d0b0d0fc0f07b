"""Limits of requests: counted in the database, for all processes and servers together."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc.jwk import OKPKey

from oncehub.api.core.hub import Hub
from oncehub.api.core.limits import Buckets, RequestLimits
from oncehub.clock import VIETNAM
from oncehub.config.agreements import Agreement
from oncehub.errors import TooManyRequests
from oncehub.share.clients.keys import retire_key
from oncehub.store.connection import Connection

WHO = {"person.personal_id": "001084000999"}
NAME = ["person.full_name"]
PORTAL = "portal-residence"


@pytest.fixture
def hub(http: TestClient) -> Hub:
    hub: Hub = cast("FastAPI", http.app).state.hub
    return hub


@pytest.fixture
def limited(hub: Hub) -> Callable[..., Agreement]:
    """Give the portal's agreement other limits: `limited(per_second=3)`."""

    def give(**limits: int) -> Agreement:
        kept = hub.agreements[PORTAL]
        hub.agreements[PORTAL] = kept.model_copy(update={"limits": kept.limits.model_copy(update=limits)})
        return hub.agreements[PORTAL]

    return give


@pytest.fixture
def take(hub: Hub) -> Callable[..., list[TooManyRequests | None]]:
    """Make requests one after another, at servers in turns; gives the refusal of each."""

    def make(
        agreement: Agreement, times: int, *servers: RequestLimits, client: str = "a", alone: bool = True
    ) -> list[TooManyRequests | None]:
        outcomes: list[TooManyRequests | None] = []
        with hub.database.transaction() as connection:
            for turn in range(times):
                server = servers[turn % len(servers)] if servers else hub.limits
                try:
                    server.take(connection, agreement, client, alone=alone)
                    outcomes.append(None)
                except TooManyRequests as refusal:
                    outcomes.append(refusal)
        return outcomes

    return make


@pytest.fixture
def alter(database: Connection) -> Callable[[str], None]:
    """Change what the database has counted."""

    def change(assignment: str) -> None:
        with database, database.cursor() as cursor:
            cursor.execute(f"update share.request_limit set {assignment}")

    return change


def test_all_servers_together_allow_what_the_agreement_says(limited: Any, take: Any) -> None:
    servers = [RequestLimits() for _ in range(4)]
    *allowed, refusal = take(limited(per_second=3), 4, *servers)
    assert allowed == [None] * 3
    assert (refusal.retry_after, str(refusal)) == (1, "the agreement allows 3 requests a second")
    other = limited().model_copy(update={"name": "another"})
    assert take(other, 1, client="b") == [None]


def test_after_the_time_to_wait_a_request_is_allowed(limited: Any, take: Any, alter: Any) -> None:
    one = limited(per_second=1)
    assert take(one, 1) == [None]
    (refusal,) = take(one, 1)
    alter(f"at = at - interval '{refusal.retry_after} seconds'")
    assert take(one, 1, RequestLimits()) == [None]


def test_a_pause_gives_no_more_than_one_second_holds(limited: Any, take: Any, alter: Any) -> None:
    three = limited(per_second=3)
    take(three, 3)
    alter("at = at - interval '1 hour'")
    assert [outcome is None for outcome in take(three, 5, RequestLimits())] == [True] * 3 + [False] * 2


def test_a_clock_that_was_set_back_neither_gives_nor_locks_out(limited: Any, take: Any, alter: Any) -> None:
    two = limited(per_second=2)
    take(two, 2)
    alter("at = at + interval '1 year'")
    assert take(two, 1, RequestLimits()) != [None]
    alter("at = at - interval '1 second'")
    assert take(two, 1, RequestLimits()) == [None]


def test_a_day_ends_at_midnight_in_vietnam_on_all_servers(limited: Any, take: Any, alter: Any) -> None:
    servers = [RequestLimits() for _ in range(3)]
    five = limited(per_day=5)
    *allowed, refusal = take(five, 6, *servers)
    assert allowed == [None] * 5
    now = datetime.now(VIETNAM)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), VIETNAM)
    assert str(refusal) == "the agreement allows 5 requests a day"
    assert refusal.retry_after == pytest.approx((midnight - now).total_seconds(), abs=10)
    alter("day = day - 1")
    assert take(five, 5, RequestLimits()) == [None] * 5


def test_a_process_that_takes_several_at_once_loses_none_of_the_day(
    limited: Any, take: Any, hub: Hub
) -> None:
    agreement = limited(per_second=10_000, per_day=1000)
    servers = [RequestLimits() for _ in range(3)]
    outcomes = take(agreement, 1010, *servers)
    assert [outcome is None for outcome in outcomes].count(True) == 1000
    assert all(outcome is not None for outcome in outcomes[1000:])


def test_a_busy_process_asks_the_database_seldom(
    limited: Any, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    apart = type(hub.database).apart
    monkeypatch.setattr(
        type(hub.database), "apart", staticmethod(lambda *given: (asked.append(1), apart(*given))[1])
    )
    agreement = limited(per_second=100_000, per_day=10**9)
    now = [0.0]
    limits = RequestLimits(Buckets(lambda: now[0]))
    with hub.database.transaction() as connection:
        for _ in range(2000):
            now[0] += 0.001
            limits.take(connection, agreement, "a", alone=True)
    assert len(asked) < 60


def test_no_client_takes_what_others_of_its_agreement_need(limited: Any, take: Any) -> None:
    ten = limited(per_second=10)
    outcomes = take(ten, 10, alone=False, client="greedy")
    assert [outcome is None for outcome in outcomes] == [True] * 8 + [False] * 2
    assert str(outcomes[-1]) == "a client of the agreement may send 8 requests a second"
    assert take(ten, 2, alone=False, client="modest") == [None] * 2


def test_an_agreement_may_say_what_a_client_gets(limited: Any, take: Any) -> None:
    agreement = limited(per_second=10, client_per_second=3, client_per_day=4)
    assert [outcome is None for outcome in take(agreement, 4)] == [True] * 3 + [False]


def test_a_restart_goes_on_counting(portal: Any, limited: Any, take: Any, believe: Any) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    for _ in range(3):
        assert portal.lookup(WHO, ["person.sex"]).status_code == 200
    (refusal,) = take(limited(per_day=3), 1, RequestLimits(), client=portal.client_id)
    assert refusal is not None


def test_a_caller_over_the_limit_gets_the_time_to_retry(
    portal: Any, limited: Any, believe: Any, log: Any, refusals: Any
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    limited(per_day=2)
    assert portal.lookup(WHO, NAME).status_code == 200
    mine = portal.http.get("/v1/agreements/mine", headers=portal.headers())
    assert mine.json()["remaining_today"] == 1
    assert portal.lookup(WHO, NAME).status_code == 200
    answer = portal.lookup(WHO, NAME)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Nguyễn" not in answer.text
    assert len(log()) == 2
    (line,) = refusals()
    assert (line["status"], line["client_id"], line["refusals"]) == (429, portal.client_id, 1)


def test_the_token_of_a_retired_key_takes_nothing_from_its_agreement(
    admit: Any, limited: Any, believe: Any, database: Connection
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    old, present = admit(PORTAL, "old"), admit(PORTAL, "present")
    old.token(), present.token()
    retire_key(database, "old", old.key.thumbprint())
    limited(per_second=2, per_day=2)
    for _ in range(10):
        assert old.lookup(WHO, NAME).status_code == 401
    assert [present.lookup(WHO, NAME).status_code for _ in range(2)] == [200, 429]


def test_a_client_gets_no_more_tokens_than_its_agreement_allows_requests(portal: Any, limited: Any) -> None:
    limited(per_second=2)
    answers = [portal.ask_token(portal.assertion()) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"


def test_failures_are_limited_and_those_who_claim_a_client_do_not_lock_it_out(
    portal: Any, refusals: Any, believe: Any
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    forged = OKPKey.generate_key("Ed25519")
    answers = []
    while len(answers) < 30 or (answers[-1].status_code == 401 and len(answers) < 200):
        answers.append(portal.ask_token(portal.assertion(key=forged)))
    assert {answer.status_code for answer in answers[:30]} == {401}
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"] == "1"
    # From the same address, as behind one proxy.
    assert portal.ask_token(portal.assertion()).status_code == 200
    assert portal.lookup(WHO, NAME).status_code == 200
    lines = refusals()
    assert sum(line["refusals"] for line in lines) == len(answers)
    assert {line["claimed_client"] for line in lines} == {portal.client_id}


def test_whoever_varies_the_claimed_name_is_limited_by_address(portal: Any, database: Connection) -> None:
    asked = 0
    until = time.monotonic() + 30
    while time.monotonic() < until:
        asked += 1
        token = portal.assertion(sub=f"client-{asked}")
        if (
            portal.http.get("/v1/agreements/mine", headers={"Authorization": f"Bearer {token}"}).status_code
            == 429
        ):
            break
    assert asked >= 200
    assert time.monotonic() < until, "never limited"
    with database, database.cursor() as cursor:
        cursor.execute(
            "select count(*) from share.request_limit where bucket !~ '^failures (source|claim) [0-9]+$'"
        )
        assert cursor.fetchone() == (0,)


def test_many_at_once_get_what_the_second_holds(portal: Any, limited: Any, believe: Any) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    portal.token()
    limited(per_day=20)
    with ThreadPoolExecutor(8) as pool:
        statuses = [*pool.map(lambda _: portal.lookup(WHO, NAME).status_code, range(60))]
    assert (statuses.count(200), statuses.count(429)) == (20, 40)
