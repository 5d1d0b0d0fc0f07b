"""A run as a whole: what it reports, what it leaves to the next, and who may run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from oncehub.model.errors import RunBusy, StoreUnavailable
from oncehub.reconcile import mark_all, reconcile
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


def test_marking_everything_again_and_a_landing_batch_never_wait_for_each_other_in_a_circle(hub):
    # Stored from the last key to the first, so that only an order of its own marks them as a batch does.
    for key in ("B9", "B5", "B1"):
        hub.state("banking", key, 0, full_name="NO NUMBER")
    hub.reconcile()
    mark = (
        "insert into intake.dirty (source, stream, source_key) values ('banking', 'accounts', %s) "
        "on conflict (source, stream, source_key) do update set mark = excluded.mark"
    )
    with (
        closing(connect(hub.settings.database_url)) as batch,
        batch.cursor() as landing,
        closing(connect(hub.settings.database_url)) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        landing.execute(mark, ("B1",))
        marking = thread.submit(mark_all, other)
        while not hub.rows("select from pg_locks where not granted and pid = %s", other.info.backend_pid):
            assert not marking.done()
        landing.execute(mark, ("B9",))
        batch.commit()
        assert marking.result() == 3


def test_a_record_marked_again_while_a_run_is_at_work_stays_marked(hub, monkeypatch):
    hub.state("population", "CD1", 0, **ANH)
    hub.state("portal", "TK1", 1, **ANH)
    from oncehub.reconcile import run  # noqa: PLC0415

    def mark_meanwhile(cursor):
        with closing(connect(hub.settings.database_url)) as other, other, other.cursor() as landing:
            landing.execute("update intake.dirty set mark = nextval('intake.mark') where source_key = 'TK1'")
        return settle_refusals(cursor)

    settle_refusals = run.settle_refusals
    monkeypatch.setattr(run, "settle_refusals", mark_meanwhile)
    hub.reconcile()
    assert hub.row("select source_key from intake.dirty") == {"source_key": "TK1"}


def test_a_row_that_a_landing_batch_holds_is_left_to_the_next_run_and_not_waited_for(hub):
    hub.state("population", "CD1", 0, **ANH)
    with closing(connect(hub.settings.database_url)) as other, other.cursor() as landing:
        landing.execute("select from intake.dirty for update")
        hub.reconcile()
        other.rollback()
    assert hub.row("select source_key from intake.dirty") == {"source_key": "CD1"}
    hub.reconcile()
    assert hub.rows("select * from intake.dirty") == []


def test_only_one_process_reconciles_at_a_time(hub):
    with (
        closing(connect(hub.settings.database_url)) as other,
        locked(other, "reconcile"),
        pytest.raises(RunBusy),
    ):
        hub.reconcile()
    assert hub.reconcile().dirty == 0


def test_a_database_that_is_gone_before_the_run_began_is_told_as_such(hub):
    with closing(connect(hub.settings.database_url)) as lost:
        hub.rows("select pg_terminate_backend(%s)", lost.info.backend_pid)
        with pytest.raises(StoreUnavailable, match="reconciling"):
            reconcile(hub.settings, lost)


def test_a_run_that_loses_the_database_keeps_nothing(hub, monkeypatch):
    hub.state("population", "CD1", 0, **ANH)
    from oncehub.reconcile import run  # noqa: PLC0415

    def lose(cursor):
        backend = cursor.connection.info.backend_pid
        with closing(connect(hub.settings.database_url)) as other, other, other.cursor() as killing:
            killing.execute("select pg_terminate_backend(%s)", (backend,))
        return announce(cursor)

    announce = run.announce
    monkeypatch.setattr(run, "announce", lose)
    with pytest.raises(StoreUnavailable, match="reconciling: the hub's database failed"):
        reconcile(hub.settings)
    assert hub.rows("select * from truth.person") == hub.rows("select * from share.change") == []
    monkeypatch.undo()
    assert reconcile(hub.settings).people_created == 1


def test_decisions_are_never_overwritten(hub):
    hub.execute(
        "insert into truth.case_file (kind, source, stream, source_key, evidence) "
        "values ('k', 's', 's', 'k', '{}')"
    )
    hub.execute(
        "insert into truth.decision (case_id, verdict, reason, decided_by) "
        "select case_id, 'same', 'seen', 'clerk' from truth.case_file"
    )
    for change in ("update truth.decision set verdict = 'different'", "delete from truth.decision"):
        with pytest.raises(psycopg2.errors.RaiseException, match="insert only"):
            hub.execute(change)
    assert hub.row("select verdict from truth.decision") == {"verdict": "same"}


def test_a_number_in_force_can_never_stand_for_two_people(hub):
    hub.state("population", "CD1", 0, **ANH)
    hub.reconcile()
    with pytest.raises(psycopg2.errors.UniqueViolation):
        hub.execute(
            "insert into truth.identifier (scheme, value, person_key, current) "
            "values ('personal_id', '001184000001', gen_random_uuid(), true)"
        )
