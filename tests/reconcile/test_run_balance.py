"""The control report: what stood, came and went adds up to what stands, whatever cut a run short."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from oncehub.errors import ConfigError, StoreUnavailable
from oncehub.reconcile import run, shards
from oncehub.reconcile.run import finish_run, link_changes, reconcile, settle_people
from oncehub.reconcile.run_balance import CountMismatch, run_balance_of
from oncehub.reconcile.shards import Shard, shards_for

PEOPLE = 12
ANH = {"personal_id": "001184000001", "full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07"}


@pytest.fixture
def landed(hub):
    for number in range(PEOPLE):
        person = {"personal_id": f"0011840000{number:02}", "full_name": f"Nguyễn Văn {chr(65 + number)}"}
        hub.state("population", f"CD{number}", 0, birth_date="1984-05-07", **person)
        hub.state("portal", f"TK{number}", 1, birth_date="1984-07-05", **person)
    hub.state("banking", "B1", 1, full_name="NO NUMBER")
    return hub


def test_what_a_run_opened_closed_and_turned_adds_up_to_what_is_open(hub):
    hub.state("population", "CD1", 0, phone="+84912000001", **ANH)
    hub.state("portal", "TK1", 1, **ANH | {"birth_date": "1984-07-05"})
    hub.state("tax", "T1", 1, **ANH | {"full_name": "Trần Thị Ánh"})
    hub.reconcile()
    assert _books(hub) == {
        ("discrepancy", "portal", "conflict"): (0, 1, 0, 0, 1),
        ("discrepancy", "tax", "conflict"): (0, 1, 0, 0, 1),
        ("record", "population", "register"): (0, 1, 0, 0, 1),
        ("record", "portal", "personal_id"): (0, 1, 0, 0, 1),
        ("record", "tax", "personal_id"): (0, 1, 0, 0, 1),
    }
    hub.state("portal", "TK1", 2, **ANH | {"birth_date": "1784-05-07"})
    hub.state("tax", "T1", 2, **ANH)
    report = hub.reconcile()
    assert (report.open_by_kind, report.adds_up) == ({"invalid": 1}, True)
    assert _books(hub) == {
        ("discrepancy", "portal", "conflict"): (1, 0, 0, -1, 0),
        ("discrepancy", "portal", "invalid"): (0, 0, 0, 1, 1),
        ("discrepancy", "tax", "conflict"): (1, 0, 1, 0, 0),
        ("record", "population", "register"): (1, 0, 0, 0, 1),
        ("record", "portal", "personal_id"): (1, 0, 0, 0, 1),
        ("record", "tax", "personal_id"): (1, 0, 0, 0, 1),
    }
    hub.reconcile()
    assert ("discrepancy", "tax", "conflict") not in _books(hub)
    assert hub.recount() == []


def test_a_source_has_its_total_and_its_kinds_turn_into_nothing_but_each_other(landed):
    landed.reconcile()
    landed.state("portal", "TK1", 2, personal_id="001184000001", birth_date="1784-05-07")
    landed.state("portal", "TK2", 2, personal_id="001184000002", birth_date="1984-05-07")
    landed.reconcile()
    balance = _control(landed)
    (portal,) = (total for total in balance.totals if total.subject == "discrepancy")
    assert (portal.opening, portal.added, portal.removed, portal.changed, portal.closing) == (
        PEOPLE,
        0,
        1,
        0,
        PEOPLE - 1,
    )
    assert {line.kind: line.changed for line in balance.lines if line.changed} == {
        "conflict": -1,
        "invalid": 1,
    }
    assert balance.adds_up


def test_a_run_cut_short_between_linking_and_settling_is_signed_for_by_the_next(landed, monkeypatch):
    def cut_short(*_):
        raise StoreUnavailable("the power went")

    monkeypatch.setattr(run, "update_golden_records", cut_short)
    with pytest.raises(StoreUnavailable, match="the power went"):
        landed.reconcile()
    with pytest.raises(ConfigError, match="no run has been closed yet"):
        _control(landed)
    assert landed.recount() == []
    assert _standing(landed) == {"register": PEOPLE, "personal_id": PEOPLE, "unlinked": 1}
    monkeypatch.undo()
    report = landed.reconcile()
    assert (report.adds_up, report.open_by_kind) == (True, {"conflict": PEOPLE})
    assert _standing(landed) == report.links | report.open_by_kind
    assert landed.recount() == []


def test_a_run_cut_short_between_parts_is_signed_for_by_the_next(landed):
    link_changes(landed.settings, landed.database)
    settled = settle_people(landed.settings, Shard(0, 3), landed.database)
    assert 0 < settled.opened < PEOPLE
    assert landed.recount() == []
    assert _standing(landed)["conflict"] == settled.opened
    report = landed.reconcile()
    assert settled.opened + report.opened == PEOPLE
    assert _books(landed)["discrepancy", "portal", "conflict"] == (0, PEOPLE, 0, 0, PEOPLE)
    assert report.adds_up
    assert landed.recount() == []


def test_parts_settled_side_by_side_and_two_who_sign_off_at_once_book_everything_once(landed, monkeypatch):
    monkeypatch.setattr(shards, "_WORTH_SPLITTING", 2)
    link_changes(landed.settings, landed.database)
    with ThreadPoolExecutor(6) as workers:
        settled = [workers.submit(settle_people, landed.settings, shard) for shard in shards_for(PEOPLE, 4)]
        signed = [workers.submit(finish_run, landed.settings) for _ in range(2)]
        assert sum(shard.result().opened for shard in settled) == PEOPLE
        assert all(control.result().adds_up for control in signed)
    assert finish_run(landed.settings, landed.database).closing("discrepancy") == {"conflict": PEOPLE}
    assert _added(landed) == 3 * PEOPLE + 1
    assert landed.recount() == []


def test_what_a_clerk_changes_between_runs_is_booked_as_well(landed):
    landed.reconcile()
    landed.rule("portal", "TK1", "different", "CD1")
    assert _standing(landed)["personal_id"] == PEOPLE - 1
    report = landed.reconcile()
    assert (report.links["unlinked"], report.closed, report.adds_up) == (2, 1, True)
    assert _books(landed)["record", "portal", "personal_id"] == (PEOPLE, 0, 1, 0, PEOPLE - 1)
    assert landed.recount() == []


def test_a_run_whose_numbers_do_not_add_up_says_so_with_counts_only(landed, caplog):
    landed.execute(
        "create function truth.lose() returns trigger language plpgsql as $$ begin return null; end $$;"
        "create trigger lose before insert on truth.discrepancy "
        "for each row when (new.source_key = 'TK3') execute function truth.lose()"
    )
    try:
        with caplog.at_level(logging.ERROR):
            report = landed.reconcile()
    finally:
        landed.execute("drop function truth.lose cascade")
    assert (report.opened, report.adds_up) == (PEOPLE - 1, False)
    (told,) = (
        record.getMessage() for record in caplog.records if record.name == "oncehub.reconcile.run_balance"
    )
    assert told.endswith(
        f"does not add up: discrepancy portal conflict: 0 opening, {PEOPLE - 1} added, 0 removed, 0 changed, "
        f"{PEOPLE - 1} closing, 1 unexplained"
    )


def test_recounting_names_what_was_changed_behind_the_books(landed):
    landed.reconcile()
    with landed.database, landed.database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("delete from truth.discrepancy where source_key = 'TK1'")
        cursor.execute("update truth.link set method = 'tax_code' where source_key = 'TK2'")
        cursor.execute("delete from truth.link where source_key = 'TK3'")
        cursor.execute(
            "insert into truth.unlinked (source, stream, source_key) values ('portal', 'accounts', 'TK4')"
        )
        cursor.execute("update record.person set deleted_at = now() where source_key = 'B1'")
    assert landed.recount() == [
        CountMismatch("discrepancy", "portal", "conflict", PEOPLE, PEOPLE - 1),
        CountMismatch("record", "banking", "decided_though_gone", 0, 1),
        CountMismatch("record", "portal", "decided_twice", 0, 1),
        CountMismatch("record", "portal", "personal_id", PEOPLE, PEOPLE - 2),
        CountMismatch("record", "portal", "tax_code", 0, 1),
        CountMismatch("record", "portal", "undecided", 0, 1),
        CountMismatch("record", "portal", "unlinked", 0, 1),
    ]


def test_a_record_that_waits_for_a_run_is_not_missed(landed):
    assert landed.recount() == []
    landed.reconcile()
    landed.delete("portal", "TK1")
    landed.state("banking", "B2", 1, full_name="NO NUMBER EITHER")
    assert landed.recount() == []


def test_an_earlier_run_can_be_shown_and_an_unknown_one_is_reported(landed):
    landed.reconcile()
    first = _control(landed)
    reconcile(landed.settings)
    assert _control(landed, first.run_id) == first != _control(landed)
    with pytest.raises(ConfigError, match="no run 0 has been closed"):
        _control(landed, 0)


def _control(hub, number=None):
    with hub.database, hub.database.cursor() as cursor:
        return run_balance_of(cursor, number)


def _books(hub):
    balance = _control(hub)
    assert balance.adds_up
    return {
        (line.subject, line.source, line.kind): (
            line.opening,
            line.added,
            line.removed,
            line.changed,
            line.closing,
        )
        for line in balance.lines
    }


def _standing(hub):
    found = hub.rows("select kind, sum(closing)::int as number from truth.run_balance_current group by kind")
    return {row["kind"]: row["number"] for row in found if row["number"]}


def _added(hub):
    return hub.row("select sum(added)::int as number from truth.run_balance")["number"]
