"""Records that differ from their contract: noted, or ending the run before their page lands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oncehub.errors import ContractStopped
from oncehub.intake.drift import list_drift, note_drift
from oncehub.normalize.contract.differences import Drift

from ..conftest import START
from ..register import BY_TIME, SOURCE, STREAM

DAY = timedelta(days=1)


@pytest.fixture
def stopping(new_land):
    """Six records, two a page, of which the fourth has a field that the contract does not know."""
    land = new_land(changes=BY_TIME, contract={"unknown": "stop"})
    for day, key in enumerate("abcdef"):
        land.register.state(key, START + day * DAY, f"An {key}", **({"plot": 7} if key == "d" else {}))
    return land


@pytest.fixture
def land(new_land):
    return new_land(changes=BY_TIME)


def test_a_record_that_stops_the_run_keeps_its_page_out_and_those_before_it_in(stopping) -> None:
    with pytest.raises(ContractStopped, match=r"land\.holders: .*plot"):
        stopping.take()
    assert "".join(stopping.living()) == "ab"
    [(_, mode, state, pages, error)] = stopping.runs()
    assert (mode, state, pages) == ("full", "failed", 1)
    assert "plot" in error
    assert stopping.cursor() == []


def test_a_stopped_run_stops_again_until_the_contract_is_changed_and_then_goes_on_at_its_page(
    stopping,
) -> None:
    for _ in range(2):
        with pytest.raises(ContractStopped):
            stopping.take()
    stopping.agree(plot={"type": "integer"})
    finished, following = stopping.takes(clock=lambda: START + 30 * DAY)
    assert (finished.run_id, finished.pages, finished.read, finished.done) == (1, 3, 6, True)
    assert following.mode == "changes"
    assert "".join(stopping.living()) == "abcdef"


def test_an_unknown_field_is_noted_once_a_run_and_lands(land, store, caplog) -> None:
    for day, key in enumerate("abcdef"):
        land.register.state(key, START + day * DAY, f"An {key}", plot=day)
    assert land.take().drift == 1
    [noted] = list_drift(store, SOURCE)
    assert (noted.stream, noted.path, noted.kind, noted.found) == (STREAM, "plot", "unknown", "integer")
    assert noted.first_seen == noted.last_seen
    assert caplog.text.count("field plot differs from the contract: unknown (integer)") == 1
    assert len(land.living()) == 6
    assert land.take(full=True).drift == 1
    [again] = list_drift(store, SOURCE)
    assert again.first_seen == noted.first_seen < again.last_seen
    assert again.records > noted.records


def test_a_stream_without_differences_has_nothing_noted(land, store) -> None:
    land.register.state("a", START, "An a")
    assert land.take().drift == 0
    assert list_drift(store, SOURCE) == []


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("address.plot", "address.plot"),
        ("owners.001084000999.share", "*"),
        ("x" * 201, "*"),
        ("name\nwith a line", "*"),
    ],
)
def test_a_name_that_may_hold_personal_data_is_not_kept(bench, caplog, path, kept) -> None:
    note(bench, [Drift(path, "unknown", "object", 1)])
    assert noted(bench) == [kept]
    assert kept == path or path not in caplog.text


def test_a_stream_that_makes_up_names_for_ever_is_noted_so_far_only(bench) -> None:
    note(bench, [Drift(f"field_{n}", "unknown", "string", 1) for n in range(499)])
    note(bench, [Drift(f"more_{n}", "unknown", "string", 1) for n in range(10)])
    assert len(noted(bench)) == 501
    assert note(bench, [Drift("field_3", "unknown", "string", 1)]) == 1
    assert "*" in noted(bench)


def note(bench, drift: list[Drift]) -> int:
    [(run_id,)] = bench.query(
        "insert into intake.run (source, stream, mode, state) "
        "values (%(source)s, %(stream)s, 'full', 'succeeded') returning run_id"
    )
    with bench.database:
        return note_drift(bench.database, run_id, bench.source, bench.stream, drift)


def noted(bench) -> list[str]:
    found = "select path from intake.drift where source = %(source)s and stream = %(stream)s order by 1"
    return [path for (path,) in bench.query(found)]
