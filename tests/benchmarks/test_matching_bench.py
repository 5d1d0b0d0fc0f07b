"""The benchmark of matching asks the hub and Splink the same question."""

from __future__ import annotations

import pytest

from benchmarks.matching import Measured, measure
from benchmarks.measuring.server import Server

RECORDS = 1000


@pytest.fixture(scope="module")
def measured(server_folder) -> Measured:
    home = server_folder()
    server = Server(home / "postgres")
    try:
        return measure(server, home, RECORDS, rounds=1)
    finally:
        server.stop()


def test_both_find_the_same_people(measured: Measured) -> None:
    assert measured.hub == measured.splink
    assert measured.matching.oversized == 0


def test_the_records_that_lost_their_identifiers_are_judged_and_most_of_them_linked(
    measured: Measured,
) -> None:
    everything = measured.hub["all"]
    assert RECORDS <= measured.matching.judged < 1.1 * RECORDS
    assert 0.9 * RECORDS < everything.expected < RECORDS
    assert everything.recall > 0.8
    assert everything.precision > 0.99
    assert sum(each.expected for name, each in measured.hub.items() if name != "all") == everything.expected


def test_a_ratio_is_of_the_hubs_time_to_splinks(measured: Measured) -> None:
    (once,) = measured.rounds
    assert measured.ratio(lambda cost: cost.seconds) == once.hub.seconds / once.splink.seconds
    assert once.hub.processor > 0 < once.splink.processor
