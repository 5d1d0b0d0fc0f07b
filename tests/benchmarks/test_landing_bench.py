"""The landing benchmark compares like with like: every way lands every record, once."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from benchmarks.data.taxpayers import Taxpayers
from benchmarks.landing import Server, measure_memory, measure_speeds, running_server
from benchmarks.peers.landers import is_dlt_installed

RECORDS = 2_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def test_every_way_lands_every_record_and_again_without_a_loss(server: Server) -> None:
    dlt = is_dlt_installed()
    speeds = measure_speeds(server, RECORDS, 1, dlt=dlt)
    landed = {name: [one.records for one in measured] for name, measured in speeds.of.items()}
    ways = ["floor", "hub", "hub again", *(["dlt"] if dlt else [])]
    assert landed == {way: [RECORDS] for way in ways}


def test_the_memory_measured_is_the_landing_process_s(server: Server) -> None:
    (taken,) = measure_memory(server, [RECORDS])
    assert taken.records == RECORDS
    assert 2**20 < taken.peak_bytes < 2**34


def test_a_page_is_the_same_whenever_and_wherever_it_is_made() -> None:
    one, other = Taxpayers(RECORDS), Taxpayers(RECORDS)
    other.page(2, 1000)
    assert one.page(1, 1000) == other.page(1, 1000)


def test_no_tax_code_repeats_and_a_record_has_the_size_of_a_real_one() -> None:
    bodies = [Taxpayers(RECORDS).page(number, 1000) for number in (1, 2)]
    codes = [each["mst"] for body in bodies for each in orjson.loads(body)["data"]["items"]]
    assert len(set(codes)) == RECORDS
    assert 300 < sum(map(len, bodies)) / RECORDS < 380
