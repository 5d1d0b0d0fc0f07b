"""Rejected records: listed without what they say, shown to who has the key, landed after a fix."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from oncehub.connect.stream.window import Window
from oncehub.encryption.key_ring import create_key_ring
from oncehub.errors import ConfigError, KeyMissing, RunBusy
from oncehub.intake.quarantine.replay import ReplayReport, list_rejected, replay, show_rejected
from oncehub.store.connection import locked

from ..conftest import START, Killed
from ..register import BY_TIME, SOURCE, STREAM, TOMBSTONES

DAY = timedelta(days=1)
SECRET = "Lê Thị Bí Mật, whose name is too long"


@pytest.fixture
def land(new_land):
    """Three good records and two bad ones, read once."""
    land = new_land(changes=BY_TIME, deletes=TOMBSTONES, quarantine={"at_most": 1.0})
    for day, key in enumerate("abcde"):
        land.register.state(key, START + day * DAY, SECRET if key in "bd" else f"An {key}")
    land.take()
    return land


def replayed(land, **how) -> ReplayReport:
    return replay(land.settings, land.land, STREAM, **how)


def test_a_list_says_where_and_why_and_nothing_of_the_record(land, store) -> None:
    second, first = list_rejected(store)
    assert (first.source, first.stream, first.stage, first.path) == (SOURCE, STREAM, "contract", "name")
    assert (first.has_key, first.kind, first.resolved_at) == (True, "records", None)
    assert (first.stated_at, second.stated_at) == (START + DAY, START + 3 * DAY)
    assert SECRET not in str([asdict(each) for each in (first, second)])
    assert "'b'" not in str(first)


def test_a_list_is_of_one_source_and_stream_and_as_long_as_asked_for(land, store) -> None:
    assert len(list_rejected(store, SOURCE, STREAM)) == 2
    assert list_rejected(store, "tax") == list_rejected(store, SOURCE, "others") == []
    assert [each.stated_at for each in list_rejected(store, limit=1)] == [START + 3 * DAY]


def test_resolved_ones_are_listed_when_asked_for(land, store) -> None:
    land.register.state("b", START + 9 * DAY, "An b")
    land.take()
    assert len(list_rejected(store)) == 1
    assert sorted(each.resolved_at is None for each in list_rejected(store, include_resolved=True)) == [
        False,
        True,
    ]


def test_a_payload_is_shown_only_with_the_key(land, store) -> None:
    [_, first] = list_rejected(store)
    shown = show_rejected(land.settings, store, first.rejected_id)
    assert shown.payload == land.register.history[1].record()
    stranger = replace(land.settings, home=land.settings.home / "elsewhere")
    create_key_ring(stranger.home)
    with pytest.raises(KeyMissing, match="is not in the key ring"):
        show_rejected(stranger, store, first.rejected_id)


def test_a_number_that_no_rejected_record_has_is_reported(land, store) -> None:
    with pytest.raises(ConfigError, match="no rejected record 4711"):
        show_rejected(land.settings, store, 4711)


def test_a_replay_before_the_fix_leaves_all_as_it_was(land, store) -> None:
    before = list_rejected(store)
    assert replayed(land) == ReplayReport(tried=2, landed=0, outdated=0, rejected=2)
    assert list_rejected(store) == before


def test_a_replay_after_the_fix_lands_them_and_counts_as_a_run(land, store) -> None:
    land.agree(name={"type": "string"})
    heard: list[ReplayReport] = []
    assert replayed(land, report=heard.append) == ReplayReport(tried=2, landed=2) == heard[-1]
    assert land.living() == {"a": "An a", "b": SECRET, "c": "An c", "d": SECRET, "e": "An e"}
    assert list_rejected(store) == []
    counts = "select state, read, accepted, unchanged, quarantined from intake.run where mode = 'replay'"
    assert land.query(counts) == [("succeeded", 2, 2, 0, 0)]
    assert replayed(land) == ReplayReport()


def test_only_the_ones_named_are_tried(land, store) -> None:
    land.agree(name={"type": "string"})
    [second, first] = list_rejected(store)
    assert replayed(land, ids=[first.rejected_id, 4711]).landed == 1
    assert list_rejected(store) == [second]


def test_a_record_that_is_bad_in_another_way_after_the_fix_shows_the_new_reason(land, store) -> None:
    land.agree(name={"type": "string", "pattern": "^An"})
    assert replayed(land).rejected == 2
    assert {each.reason for each in list_rejected(store)} == {"breaks 'pattern' of the contract"}


def test_a_statement_that_was_overtaken_is_resolved_without_landing(land) -> None:
    land.register.state("b", START + 9 * DAY, f"{SECRET} still")
    land.take()
    land.agree(name={"type": "string"})
    # The later of the two lands; the earlier has no say any more.
    assert replayed(land) == ReplayReport(tried=3, landed=2, outdated=1)
    assert land.living()["b"] == f"{SECRET} still"
    assert land.open_rejections() == []


def test_a_statement_that_comes_after_a_later_one_is_not_worth_another_try(land) -> None:
    land.register.state("c", START + 9 * DAY, "An c")
    land.register.state("c", START + 8 * DAY, SECRET)
    land.take()
    land.take(full=True)
    assert land.open_rejections() == ["b", "d"]


def test_a_good_version_resolves_the_bad_ones_before_it_and_not_the_one_after(land) -> None:
    land.register.state("b", START + 8 * DAY, "An b")
    land.register.state("b", START + 9 * DAY, SECRET)
    land.take()
    held = "select stated_at, resolved_at is not null from intake.rejected where source_key = 'b' order by 1"
    assert land.query(held) == [(START + DAY, True), (START + 9 * DAY, False)]
    # Only the good one comes again, then all of them.
    assert land.take(backfill=Window(START + 8 * DAY, START + 9 * DAY)).read == 1
    assert land.query(held) == [(START + DAY, True), (START + 9 * DAY, False)]
    land.take(full=True)
    assert land.query(held) == [(START + DAY, True), (START + 9 * DAY, False)]
    assert land.living()["b"] == "An b"


@pytest.mark.parametrize("names", [("An b", SECRET), (SECRET, "An b")])
def test_of_two_statements_of_one_moment_the_good_one_lands_and_the_bad_one_stays_known(
    new_land, names
) -> None:
    land = new_land(changes=BY_TIME, quarantine={"at_most": 1.0})
    for name in names:
        land.register.state("b", START, name)
    for _ in range(2):
        land.take(full=True)
        assert (land.living(), land.open_rejections()) == ({"b": "An b"}, ["b"])


def test_a_good_statement_that_comes_after_a_bad_one_of_its_moment_resolves_it(land) -> None:
    land.register.state("b", START + DAY, "An b")
    land.take(full=True)
    assert (land.living()["b"], land.open_rejections()) == ("An b", ["d"])


def test_a_bad_statement_that_comes_after_a_good_one_of_its_moment_changes_nothing_and_is_kept(land) -> None:
    land.register.state("c", START + 2 * DAY, SECRET)
    land.take(full=True)
    assert (land.living()["c"], land.open_rejections()) == ("An c", ["b", "c", "d"])


def test_a_rejected_tombstone_is_replayed_as_one(new_land) -> None:
    misread = TOMBSTONES | {"updated": {"field": "at", "format": "%d/%m/%Y"}}
    land = new_land(changes=BY_TIME, deletes=misread, quarantine={"at_most": 1.0})
    for key in "ab":
        land.register.state(key, START, f"An {key}")
    land.register.state("a", START + DAY, None, deleted=True)
    land.take()
    assert (land.living(), land.open_rejections()) == ({"a": "An a", "b": "An b"}, ["a"])
    land.configure(changes=BY_TIME, deletes=TOMBSTONES)
    assert replayed(land) == ReplayReport(tried=1, landed=1)
    assert (land.living(), land.open_rejections()) == ({"b": "An b"}, [])


def test_a_replay_stops_at_a_record_encrypted_with_another_key(land, store) -> None:
    land.agree(name={"type": "string"})
    create_key_ring(land.settings.home / "elsewhere")
    with pytest.raises(KeyMissing, match=r"which this hub has used|is not in the key ring"):
        replay(replace(land.settings, home=land.settings.home / "elsewhere"), land.land, STREAM)
    assert len(list_rejected(store)) == 2
    assert land.query("select state from intake.run where mode = 'replay'") == [("failed",)]


def test_a_killed_replay_goes_on_with_what_is_left(land, store, monkeypatch) -> None:
    monkeypatch.setattr("oncehub.intake.quarantine.replay._BATCH", 1)
    land.agree(name={"type": "string"})

    def killed(report: ReplayReport) -> None:
        raise Killed

    with pytest.raises(Killed):
        replayed(land, report=killed)
    assert len(list_rejected(store)) == 1
    assert replayed(land) == ReplayReport(tried=1, landed=1)
    states = "select state, error from intake.run where mode = 'replay' order by run_id"
    assert land.query(states) == [("failed", "interrupted"), ("succeeded", None)]


def test_a_stream_is_replayed_by_one_process_at_a_time(land, store) -> None:
    with locked(store, "replay land.holders"), pytest.raises(RunBusy, match=r"land\.holders is being rep"):
        replayed(land)


def test_neither_log_nor_report_of_a_replay_speaks_of_anybody(land, store, caplog) -> None:
    caplog.set_level("DEBUG", logger="oncehub")
    land.agree(name={"type": "string"})
    replayed(land)
    assert SECRET not in caplog.text
