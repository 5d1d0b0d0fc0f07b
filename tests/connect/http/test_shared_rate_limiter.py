"""All processes that read a source share one rate limit, and a killed one leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from oncehub.config.access import Limits
from oncehub.config.connector import Connector
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.shared_rate_limiter import SharedRateLimiter, shared_rate_limiter
from oncehub.errors import StoreUnavailable
from oncehub.settings import Settings
from oncehub.store.connection import Connection

Make = Callable[..., Connector]
Open = Callable[..., SharedRateLimiter]

FAST = {"requests": 1e6}


@pytest.fixture
def open_limiter(settings: Settings, connector_of: Make) -> Iterator[Open]:
    """Opens the rate limiter of a test's source anew, as another process would; keywords are its limits."""
    with ExitStack() as opened:

        def start(**limits: Any) -> SharedRateLimiter:
            connector = connector_of().model_copy(update={"limits": Limits.model_construct(**limits)})
            return opened.enter_context(shared_rate_limiter(settings, connector))

        yield start


class Waits(list[float]):
    """Stands for sleep, and waits not at all."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


class GivenUp(Exception):
    pass


def give_up(seconds: float) -> None:
    raise GivenUp


def never(seconds: float) -> None:
    raise AssertionError(f"paused for {seconds} s")


def ask(rate_limiter: SharedRateLimiter, pause: Callable[[float], None]) -> None:
    with rate_limiter.turn(pause):
        pass


def test_readers_share_one_rate(open_limiter: Open) -> None:
    readers = [open_limiter(requests=0.1) for _ in range(3)]
    waits = Waits()
    for reader in readers * 2:
        ask(reader, waits)
    # Nobody really slept, so each waits one interval longer than the one before.
    assert [round(wait / 10) for wait in waits] == [1, 2, 3, 4, 5]


def test_a_burst_is_shared_too(open_limiter: Open) -> None:
    readers = [open_limiter(requests=0.1, burst=3) for _ in range(3)]
    waits = Waits()
    for reader in readers * 2:
        ask(reader, waits)
    assert [round(wait / 10) for wait in waits] == [1, 2, 3]


def test_sources_do_not_hinder_each_other(settings: Settings, connector_of: Make) -> None:
    slow = Limits.model_construct(requests=0.1, concurrency=1)
    with ExitStack() as opened:
        for source in ("tax", "customs"):
            connector = connector_of(source=source).model_copy(update={"limits": slow})
            rate_limiter = opened.enter_context(shared_rate_limiter(settings, connector))
            opened.enter_context(rate_limiter.turn(never))


def test_no_more_than_the_concurrency_are_under_way_in_all_processes(open_limiter: Open) -> None:
    first, second = (open_limiter(**FAST, concurrency=3) for _ in range(2))
    with first.turn(never), second.turn(never), first.turn(never):
        for reader in (first, second):
            with pytest.raises(GivenUp), reader.turn(give_up):
                pass
    ask(second, never)


def test_a_waiting_reader_gets_the_place_that_another_leaves(open_limiter: Open) -> None:
    first, second = (open_limiter(**FAST, concurrency=1) for _ in range(2))
    waits = Waits()

    def leave(seconds: float) -> None:
        waits(seconds)
        place.close()

    with ExitStack() as place:
        place.enter_context(first.turn(never))
        ask(second, leave)
    assert len(waits) == 1


def test_a_suspension_is_kept_by_all_and_ends_evenly(open_limiter: Open) -> None:
    readers = [open_limiter(requests=0.1) for _ in range(3)]
    readers[0].suspend(40)
    readers[1].suspend(5)
    waits = Waits()
    for reader in readers:
        ask(reader, waits)
    assert [round(wait / 10) for wait in waits] == [4, 5, 6]


def test_a_reader_that_waits_already_keeps_a_later_suspension_too(open_limiter: Open) -> None:
    waiting, other = (open_limiter(requests=1) for _ in range(2))
    waits = Waits()
    ask(other, waits)

    def asked_meanwhile(seconds: float) -> None:
        if not waits:
            other.suspend(30)
        waits(seconds)

    ask(waiting, asked_meanwhile)
    assert [round(wait) for wait in waits] == [1, 30]


def test_a_suspension_beyond_what_anybody_sleeps_is_passed_on(open_limiter: Open) -> None:
    asked, other = (open_limiter(**FAST) for _ in range(2))
    asked.suspend(3600)
    with pytest.raises(TryAgain, match="asked to wait") as failure:
        ask(other, never)
    assert failure.value.retry_after == pytest.approx(3600, abs=60)


def test_no_suspension_lasts_longer_than_a_day(open_limiter: Open) -> None:
    asked = open_limiter(**FAST)
    asked.suspend(1e9)
    with pytest.raises(TryAgain) as failure:
        ask(asked, never)
    assert failure.value.retry_after == pytest.approx(86_400, abs=60)


@pytest.mark.parametrize("ahead", ["1 day", "1 year"])
def test_a_clock_that_was_set_back_lets_no_reader_wait(
    ahead: str, open_limiter: Open, database: Connection
) -> None:
    limiter = open_limiter(requests=100.0, concurrency=4, burst=2)
    with limiter.turn(never):
        pass
    with database, database.cursor() as cursor:
        cursor.execute("update connect.rate_limit set next_at = next_at + %s::interval", (ahead,))
        if ahead == "1 year":
            cursor.execute("update connect.rate_limit set suspended_until = next_at")
    waits = Waits()
    with limiter.turn(waits):
        pass
    assert sum(waits) < 1


def test_threads_of_one_process_share_its_places(open_limiter: Open) -> None:
    rate_limiter = open_limiter(**FAST, concurrency=2)
    most, lock, under_way = [0], threading.Lock(), [0]

    def reader() -> None:
        for _ in range(20):
            with rate_limiter.turn(threading.Event().wait):
                with lock:
                    under_way[0] += 1
                    most[0] = max(most[0], under_way[0])
                with lock:
                    under_way[0] -= 1

    threads = [threading.Thread(target=reader) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most[0] <= 2


_HOLDING = """
import sys, time
from pathlib import Path
from oncehub.connect.http.shared_rate_limiter import shared_rate_limiter
from oncehub.config.connector import Connector
from oncehub.settings import Settings
settings = Settings(Path(sys.argv[1]), Path(sys.argv[1]), sys.argv[2])
limiter = shared_rate_limiter(settings, Connector.load(Path(sys.argv[3])))
with limiter as rate_limiter, rate_limiter.turn(time.sleep):
    print("holding", flush=True)
    time.sleep(600)
"""


def test_a_killed_process_frees_its_place(
    settings: Settings, connector_of: Make, database: Connection
) -> None:
    connector = connector_of(limits={"requests": "1000/s", "concurrency": 1})
    arguments = [sys.executable, "-c", _HOLDING, settings.root, settings.database_url, connector.path]
    with (
        subprocess.Popen(list(map(str, arguments)), stdout=subprocess.PIPE, text=True) as process,
        shared_rate_limiter(settings, connector) as rate_limiter,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        with pytest.raises(GivenUp), rate_limiter.turn(give_up):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # The server notices by itself, in a moment that this reader spends waiting for its turn.
        ask(rate_limiter, threading.Event().wait)


def test_requests_begin_at_the_agreed_distance(open_limiter: Open, database: Connection) -> None:
    rate_limiter = open_limiter(requests=0.001)
    begun = []
    for _ in range(4):
        ask(rate_limiter, Waits())
        with database, database.cursor() as cursor:
            cursor.execute("select extract(epoch from next_at)::float8 from connect.rate_limit")
            begun.append(cursor.fetchone()[0])  # type: ignore[index]
    assert [later - earlier for earlier, later in pairwise(begun)] == pytest.approx([1000] * 3)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_lost_database_is_reported_plainly(
    open_limiter: Open, database: Connection, concurrency: int
) -> None:
    rate_limiter = open_limiter(**FAST, concurrency=concurrency)
    with rate_limiter.turn(never), database, database.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and datname = current_database()"
        )
    with pytest.raises(
        StoreUnavailable, match="limiting the rate of requests to tax: the hub's database failed"
    ):
        ask(rate_limiter, never)


def test_a_database_that_is_not_there_is_reported_plainly(settings: Settings, connector_of: Make) -> None:
    gone = replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable), shared_rate_limiter(gone, connector_of()):
        pass
