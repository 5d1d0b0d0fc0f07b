"""Linking and settling as transactions of their own, the people in shards."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID

import pytest

from oncehub.errors import StoreUnavailable
from oncehub.reconcile import run, shards
from oncehub.reconcile.run import link_changes, mark_all, reconcile, settle_people
from oncehub.reconcile.shards import Shard, shards_for
from oncehub.store.connection import connect

PEOPLE = 12


@pytest.fixture
def landed(hub):
    for number in range(PEOPLE):
        person = {"personal_id": f"0011840000{number:02}", "full_name": f"Nguyễn Văn {chr(65 + number)}"}
        hub.state("population", f"CD{number}", 0, birth_date="1984-05-07", **person)
        hub.state(
            "portal", f"TK{number}", 1, birth_date="1984-07-05", phone=f"+849120000{number:02}", **person
        )
    return hub


@pytest.fixture
def settled_at_once(landed):
    landed.reconcile()
    outcome = landed.outcome()
    landed.forget(records=False)
    for number in range(PEOPLE):
        landed.mark("population", f"CD{number}")
        landed.mark("portal", f"TK{number}")
    return outcome


def test_shards_are_disjoint_and_complete():
    for of in (1, 2, 3, 8):
        found = [Shard(number, of) for number in range(of)]
        assert (found[0].first, found[-1].last) == (UUID(int=0), UUID(int=2**128 - 1))
        assert all(a.last.int + 1 == b.first.int for a, b in itertools.pairwise(found))


def test_a_few_people_are_one_part_and_many_as_many_as_allowed():
    assert shards_for(0, 8) == shards_for(3_999, 8) == [Shard()]
    assert shards_for(4_000, 8) == [Shard(0, 2), Shard(1, 2)]
    assert len(shards_for(10_000, 8)) == len(shards_for(1_000_000, 8)) == 4
    assert len(shards_for(1_600_000, 8)) == 6
    assert len(shards_for(100_000_000, 8)) == 8


def test_people_settled_part_by_part_are_the_same_people(landed, settled_at_once):
    linked = link_changes(landed.settings, landed.database)
    assert (linked.dirty, linked.pending) == (2 * PEOPLE, PEOPLE)
    reports = [settle_people(landed.settings, Shard(number, 3), landed.database) for number in range(3)]
    assert sum(report.people_created for report in reports) == PEOPLE
    assert max(report.people_created for report in reports) < PEOPLE
    assert [report.people for report in reports] == [report.people_created for report in reports]
    assert landed.outcome() == settled_at_once
    assert landed.rows("select * from truth.pending") == []


def test_parts_settled_side_by_side_are_the_same_people(landed, settled_at_once, monkeypatch):
    monkeypatch.setattr(shards, "_WORTH_SPLITTING", 2)
    report = reconcile(landed.settings)
    assert (report.people_created, report.opened, sum(report.shards)) == (PEOPLE, PEOPLE, PEOPLE)
    assert len(report.shards) > 1
    assert 0 < report.link_seconds < report.seconds
    assert landed.outcome() == settled_at_once


def test_a_run_cut_short_between_its_phases_is_finished_by_the_next(landed, settled_at_once, monkeypatch):
    def cut_short(*_):
        raise StoreUnavailable("the power went")

    monkeypatch.setattr(run, "update_golden_records", cut_short)
    with pytest.raises(StoreUnavailable, match="the power went"):
        landed.reconcile()
    assert landed.rows("select * from truth.person") == landed.rows("select * from intake.dirty") == []
    monkeypatch.undo()
    report = landed.reconcile()
    assert (report.dirty, report.people_created) == (0, PEOPLE)
    assert landed.outcome() == settled_at_once


def test_two_who_settle_the_same_people_at_once_do_it_once(landed, settled_at_once):
    link_changes(landed.settings, landed.database)
    with closing(connect(landed.settings.database_url)) as other, ThreadPoolExecutor(2) as threads:
        first = threads.submit(settle_people, landed.settings, Shard(), landed.database)
        second = threads.submit(settle_people, landed.settings, Shard(), other)
        created = sorted([first.result().people_created, second.result().people_created])
    assert created == [0, PEOPLE]
    assert landed.outcome() == settled_at_once


def test_people_who_wait_since_before_are_not_settled_while_their_links_change(landed, monkeypatch):
    link_changes(landed.settings, landed.database)
    landed.state("portal", "TK1", 2, personal_id="001184000002", full_name="Nguyễn Văn C")
    settle_refusals = run.settle_refusals
    with closing(connect(landed.settings.database_url)) as other, ThreadPoolExecutor(1) as thread:
        begun = []

        def settle_beside(cursor):
            begun.append(thread.submit(settle_people, landed.settings, Shard(), other))
            while not begun[0].done() and not landed.waits(other):
                pass
            return settle_refusals(cursor)

        monkeypatch.setattr(run, "settle_refusals", settle_beside)
        link_changes(landed.settings)
        assert begun[0].result().people == PEOPLE
    assert landed.rows("select * from truth.pending") == []
    assert landed.person("CD1")["phone"] is None
    at_the_end = landed.outcome()
    mark_all(landed.database)
    monkeypatch.undo()
    landed.reconcile()
    assert landed.outcome() == at_the_end
