"""Requests keep the pace that a source can bear."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from oncehub.connect.rates import RateLimit


class Clock:
    """A clock that moves by pausing and by work."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@settings(deadline=None)
@given(st.integers(1, 50), st.lists(st.floats(0, 0.5), min_size=1, max_size=40))
def test_requests_begin_no_closer_than_the_rate_allows(rate: int, work: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(rate, clock)
    begun = []
    for seconds in work:
        limit.wait(clock.advance)
        begun.append(clock.now)
        clock.advance(seconds)
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert all(gap >= 1 / rate - 1e-9 for gap in gaps)


def test_a_slow_caller_is_never_held_up() -> None:
    clock = Clock()
    limit = RateLimit(10, clock)
    for _ in range(5):
        limit.wait(lambda _seconds: (_ for _ in ()).throw(AssertionError("paused")))
        clock.advance(0.2)


def test_time_not_used_does_not_add_up_to_a_burst() -> None:
    clock = Clock()
    limit = RateLimit(10, clock)
    limit.wait(clock.advance)
    clock.advance(60)
    limit.wait(clock.advance)
    before = clock.now
    limit.wait(clock.advance)
    assert round(clock.now - before, 6) == 0.1
