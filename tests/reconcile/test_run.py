"""A run as a whole: what it reports, what it leaves to the next, and who may run."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from oncehub.errors import RunBusy, StoreUnavailable
from oncehub.reconcile import run
from oncehub.reconcile.run import mark_all, reconcile
from oncehub.store.connection import connect, locked

ANH = {"personal_id": "001184000001", "full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07"}


def test_the_report_counts_what_was_done_and_what_stands(hub):
    hub.state("population", "CD1", 0, life_status="deceased", **ANH)
    hub.state("population", "CD2", 0, personal_id="001190000002", full_name="Trần Văn Bình")
    hub.state("portal", "TK1", 1, life_status="alive", **ANH)
    hub.state("banking", "B1", 1, full_name="NO NUMBER")
    report = hub.reconcile()
    assert (report.dirty, report.people_created, report.people_changed) == (4, 2, 0)
    assert report.links == {"register": 2, "personal_id": 1, "unlinked": 1}
    assert (report.opened, report.closed, report.open_by_kind) == (1, 0, {"deceased": 1})
    assert hub.rows("select * from intake.dirty") == []


def test_a_run_without_changes_does_nothing(hub):
    hub.state("population", "CD1", 0, **ANH)
    hub.reconcile()
    before = hub.outcome(), hub.changes()
    report = hub.reconcile()
    assert (report.dirty, report.opened, report.closed) == (0, 0, 0)
    assert (hub.outcome(), hub.changes()) == before


def test_reconciling_everything_again_changes_nothing(hub):
    hub.state("population", "CD1", 0, **ANH)
    hub.state("portal", "TK1", 1, **ANH | {"birth_date": "1984-07-05"})
    hub.reconcile()
    before = hub.outcome(), hub.changes()
    assert mark_all(hub.database) == 2
    assert hub.reconcile().dirty == 2
    assert (hub.outcome(), hub.changes()) == before


def test_an_open_batch_blocks_no_run_and_its_dirty_marks_are_left_to_the_next_run(hub):
    for key in ("B1", "B2"):
        hub.state("banking", key, 0, full_name="NO NUMBER")
    with (
        closing(connect(hub.settings.database_url)) as batch,
        batch.cursor() as landing,
        closing(connect(hub.settings.database_url)) as impatient,
    ):
        landing.execute("insert into intake.dirty values ('banking', 'accounts', 'B1')")
        with impatient, impatient.cursor() as cursor:
            cursor.execute("set lock_timeout = '5s'")
        assert mark_all(impatient) == 2
        assert reconcile(hub.settings, impatient).dirty == 2
        batch.commit()
    assert hub.rows("select source_key from intake.dirty") == [{"source_key": "B1"}]
    assert hub.reconcile().dirty == 1


def test_a_record_marked_several_times_is_linked_once(hub):
    hub.state("population", "CD1", 0, **ANH)
    hub.state("population", "CD1", 1, **ANH)
    hub.mark("population", "CD1")
    assert hub.reconcile().dirty == 1
    assert hub.rows("select * from intake.dirty") == []


def test_a_record_marked_again_while_a_run_is_at_work_stays_marked(hub, monkeypatch):
    hub.state("population", "CD1", 0, **ANH)
    hub.state("portal", "TK1", 1, **ANH)

    def mark_meanwhile(cursor):
        with closing(connect(hub.settings.database_url)) as other, other, other.cursor() as landing:
            landing.execute("insert into intake.dirty values ('portal', 'accounts', 'TK1')")
        return settle_refusals(cursor)

    settle_refusals = run.settle_refusals
    monkeypatch.setattr(run, "settle_refusals", mark_meanwhile)
    assert hub.reconcile().dirty == 2
    assert hub.row("select source_key from intake.dirty") == {"source_key": "TK1"}


def test_a_run_that_fails_while_linking_leaves_every_mark(hub, monkeypatch):
    hub.state("population", "CD1", 0, **ANH)
    hub.state("portal", "TK1", 1, **ANH)

    def fail(_):
        raise StoreUnavailable("the power went")

    monkeypatch.setattr(run, "settle_refusals", fail)
    with pytest.raises(StoreUnavailable, match="the power went"):
        hub.reconcile()
    monkeypatch.undo()
    assert hub.reconcile().dirty == 2


def test_only_one_process_reconciles_at_a_time(hub):
    with (
        closing(connect(hub.settings.database_url)) as other,
        locked(other, "reconcile"),
        pytest.raises(RunBusy),
    ):
        hub.reconcile()
    assert hub.reconcile().dirty == 0


def test_a_database_that_is_gone_before_the_run_began_is_reported_as_such(hub):
    with closing(connect(hub.settings.database_url)) as lost:
        hub.rows("select pg_terminate_backend(%s)", lost.info.backend_pid)
        with pytest.raises(StoreUnavailable, match="reconciling"):
            reconcile(hub.settings, lost)


def test_a_run_that_loses_the_database_keeps_nothing(hub, monkeypatch):
    hub.state("population", "CD1", 0, **ANH)

    def lose(cursor):
        backend = cursor.connection.info.backend_pid
        with closing(connect(hub.settings.database_url)) as other, other, other.cursor() as killing:
            killing.execute("select pg_terminate_backend(%s)", (backend,))
        return close_corrected_requests(cursor)

    close_corrected_requests = run.close_corrected_requests
    monkeypatch.setattr(run, "close_corrected_requests", lose)
    with pytest.raises(StoreUnavailable, match="reconciling: the hub's database failed"):
        reconcile(hub.settings)
    assert hub.rows("select * from truth.person") == hub.rows("select * from share.change") == []
    monkeypatch.undo()
    assert reconcile(hub.settings).people_created == 1


def test_decisions_are_never_overwritten(hub):
    hub.execute(
        "insert into truth.case_file (kind, source, stream, source_key, evidence) "
        "values ('possible_match', 's', 's', 'k', '{}')"
    )
    hub.execute(
        "insert into truth.decision (case_id, verdict, reason, decided_by) "
        "select case_id, 'different', 'seen', 'clerk' from truth.case_file"
    )
    for change in ("update truth.decision set verdict = 'same'", "delete from truth.decision"):
        with pytest.raises(psycopg2.errors.RaiseException, match="insert only"):
            hub.execute(change)
    assert hub.row("select verdict from truth.decision") == {"verdict": "different"}


def test_a_number_in_force_can_never_stand_for_two_people(hub):
    hub.state("population", "CD1", 0, **ANH)
    hub.reconcile()
    with pytest.raises(psycopg2.errors.UniqueViolation):
        hub.execute(
            "insert into truth.identifier (scheme, value, person_key, current) "
            "values ('personal_id', '001184000001', gen_random_uuid(), true)"
        )
