"""Requests keep within the rate that a source can bear."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.access import Limits
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter, Pause


class Clock:
    """A clock that moves by pausing and by work."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def limiter(clock: Clock, requests: float, **limits: Any) -> LocalRateLimiter:
    return LocalRateLimiter(Limits.model_construct(requests=requests, **limits), clock)


def never(seconds: float) -> None:
    raise AssertionError(f"paused for {seconds} s")


def begun(rate_limiter: LocalRateLimiter, clock: Clock, pause: Pause) -> float:
    with rate_limiter.turn(pause):
        return clock.now


@given(st.integers(1, 50), st.lists(st.floats(0, 0.5), min_size=1, max_size=40))
def test_requests_begin_no_closer_than_the_rate_allows(rate: int, work: list[float]) -> None:
    clock = Clock()
    kept = limiter(clock, rate)
    moments = []
    for seconds in work:
        moments.append(begun(kept, clock, clock.advance))
        clock.advance(seconds)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(gap >= 1 / rate - 1e-9 for gap in gaps)


@given(st.integers(1, 50), st.integers(1, 10), st.lists(st.floats(0, 0.5), min_size=1, max_size=40))
def test_no_span_holds_more_requests_than_burst_and_rate_allow(
    rate: int, burst: int, work: list[float]
) -> None:
    clock = Clock()
    kept = limiter(clock, rate, burst=burst)
    moments = []
    for seconds in work:
        moments.append(begun(kept, clock, clock.advance))
        clock.advance(seconds)
    for first in range(len(moments)):
        for last in range(first, len(moments)):
            span = moments[last] - moments[first]
            assert last - first + 1 <= burst + span * rate + 1e-6


def test_a_slow_caller_is_never_delayed() -> None:
    clock = Clock()
    kept = limiter(clock, 10)
    for _ in range(5):
        begun(kept, clock, never)
        clock.advance(0.2)


def test_time_not_used_adds_up_to_the_burst_and_no_further() -> None:
    clock = Clock()
    kept = limiter(clock, 10, burst=3)
    clock.advance(60)
    for _ in range(3):
        begun(kept, clock, never)
    before = clock.now
    assert begun(kept, clock, clock.advance) - before == pytest.approx(0.1)


def test_time_not_used_does_not_add_up_without_a_burst() -> None:
    clock = Clock()
    kept = limiter(clock, 10)
    begun(kept, clock, clock.advance)
    clock.advance(60)
    before = begun(kept, clock, clock.advance)
    assert begun(kept, clock, clock.advance) - before == pytest.approx(0.1)


def test_no_request_begins_while_the_source_asks_to_wait_nor_all_at_once_after_it() -> None:
    clock = Clock()
    kept = limiter(clock, 10)
    kept.suspend(5)
    kept.suspend(1)
    start = clock.now
    moments = [begun(kept, clock, clock.advance) - start for _ in range(3)]
    assert moments == [pytest.approx(5), pytest.approx(5.1), pytest.approx(5.2)]


def test_a_reader_that_waits_already_when_the_source_asks_to_wait_keeps_it_too() -> None:
    clock = Clock()
    kept = limiter(clock, 10)
    begun(kept, clock, never)

    def asked_meanwhile(seconds: float) -> None:
        if clock.now == 100.0:
            kept.suspend(5)
        clock.advance(seconds)

    assert begun(kept, clock, asked_meanwhile) >= 105


def test_no_more_than_the_concurrency_are_under_way() -> None:
    kept = LocalRateLimiter(Limits.model_construct(requests=1e6, concurrency=2))
    third = threading.Event()

    def ask() -> None:
        with kept.turn(lambda _seconds: None):
            third.set()

    with ExitStack() as under_way:
        for _ in range(2):
            under_way.enter_context(kept.turn(never))
        waiting = threading.Thread(target=ask)
        waiting.start()
        assert not third.wait(0.15)
    waiting.join()
    assert third.is_set()


def test_waiting_for_a_place_ends_when_reading_is_given_up() -> None:
    class GivenUp(Exception):
        pass

    def give_up(seconds: float) -> None:
        raise GivenUp

    kept = LocalRateLimiter(Limits.model_construct(requests=1e6, concurrency=1))
    with kept.turn(never), pytest.raises(GivenUp), kept.turn(give_up):
        pass
    with kept.turn(never):
        pass


def test_a_turn_that_fails_gives_its_place_back() -> None:
    kept = LocalRateLimiter(Limits.model_construct(requests=1e6, concurrency=1))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), kept.turn(never):
            raise ZeroDivisionError
