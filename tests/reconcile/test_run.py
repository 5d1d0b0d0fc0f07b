"""A run as a whole: what it reports, what it leaves to the next, and who may run."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from oncehub.errors import RunBusy, StoreUnavailable
from oncehub.reconcile import run
from oncehub.reconcile.run import link_changes, mark_all, reconcile, settle_people
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


def test_a_run_builds_the_indexes_by_number_that_a_new_source_lacks(own_hub):
    by_number = (
        "select count(*) from pg_indexes "
        "where schemaname = 'record' and tablename = 'person_hospital' and indexname !~ '_pkey$'"
    )
    own_hub.execute("select record.attach_source('hospital')")
    landed = own_hub.row(by_number)["count"]
    own_hub.reconcile()
    assert (landed, own_hub.row(by_number)["count"]) == (0, 5)


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


PHONES = {"portal": "+84901234567", "tax": "+84907654321"}


@pytest.fixture
def contested(hub, tmp_path):
    """A reconciled hub, of whose person the portal and the tax office state another phone."""
    hub.state("population", "CD1", 0, **ANH)
    for source, phone in PHONES.items():
        hub.state(source, "TK1", 1, phone=phone, **ANH)
    for name in ("schemas", "connectors"):
        (tmp_path / name).symlink_to(hub.settings.root / name)
    shutil.copytree(hub.settings.mappings, tmp_path / "mappings")
    edited = replace(hub, settings=replace(hub.settings, root=tmp_path))
    assert edited.reconcile().rules_changed is False
    assert edited.person("CD1")["phone"] == PHONES["portal"]
    return edited


def prefer(hub, source):
    path = hub.settings.mappings / "rules" / "survivorship.yaml"
    line = f"  phone: {{trust: {{{source}: 0.9}}, half_life: 1y}}"
    path.write_text(re.sub(r"(?m)^  phone: .*$", line, path.read_text("utf-8")), "utf-8")


def test_other_rules_apply_to_everybody_at_once_and_only_once(contested, caplog):
    path = contested.settings.mappings / "rules" / "survivorship.yaml"
    path.write_text(path.read_text("utf-8") + "\n# A remark says nothing.\n", "utf-8")
    assert contested.reconcile().dirty == 0
    prefer(contested, "tax")
    with caplog.at_level("INFO", logger="oncehub.reconcile"):
        report = contested.reconcile()
    assert (report.rules_changed, report.dirty, report.people_changed) == (True, 3, 1)
    assert contested.person("CD1")["phone"] == PHONES["tax"]
    assert "the rules changed since the last run: all 3 records are reconciled again" in caplog.messages
    again = contested.reconcile()
    assert (again.rules_changed, again.dirty) == (False, 0)


def test_other_rules_are_known_again_after_a_run_that_is_cut_short(contested, monkeypatch):
    def cut_short(*_):
        raise StoreUnavailable("the power went")

    prefer(contested, "tax")
    for phase in ("settle_cases", "update_golden_records"):
        monkeypatch.setattr(run, phase, cut_short)
        with pytest.raises(StoreUnavailable, match="the power went"):
            contested.reconcile()
        monkeypatch.undo()
    contested.reconcile()
    assert contested.person("CD1")["phone"] == PHONES["tax"]


def test_rules_that_change_between_linking_and_settling_and_back_are_noticed(contested):
    mark_all(contested.database)
    link_changes(contested.settings, contested.database)
    prefer(contested, "tax")
    settle_people(contested.settings, database=contested.database)
    assert contested.person("CD1")["phone"] == PHONES["tax"]
    prefer(contested, "portal")
    assert contested.reconcile().rules_changed
    assert contested.person("CD1")["phone"] == PHONES["portal"]


def test_a_hub_that_does_not_know_its_rules_reconciles_everything(contested):
    contested.execute("delete from truth.rules")
    assert (contested.reconcile().rules_changed, contested.reconcile().rules_changed) == (True, False)


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
