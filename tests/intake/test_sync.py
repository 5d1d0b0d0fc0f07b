"""StreamSync the simulated systems into the real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from oncehub.errors import ConfigError, ContractBroken, RunBusy, StoreError, StoreUnavailable
from oncehub.store.connection import locked
from oncehub.store.failures import without_values
from stubs.client import Systems

SOURCES = ("population", "portal", "tax", "customs", "banking")
STREAMS = [
    ("population", "citizens"),
    ("portal", "accounts"),
    ("portal", "dossiers"),
    ("tax", "registrations"),
    ("customs", "declarants"),
    ("banking", "accounts"),
]


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_a_first_read_lands_every_record_or_says_why_not(hub, systems, source, stream) -> None:
    broken = {
        row["source_key"]
        for row in systems.truth("broken")
        if (row["source"], row["stream"]) == (source, stream)
    }
    [report] = hub.read(systems, source, streams=[stream])
    assert (report.mode, report.done) == ("full", True)
    assert report.quarantined == len(broken) > 0
    assert report.accepted == report.read - report.quarantined > 0
    assert (report.unchanged, report.deleted) == (0, 0)
    assert {key for (key,) in hub.query("select source_key from intake.rejected")} == broken
    assert hub.query("select count(*) from intake.record_state where deletion is null") == [
        (report.accepted,)
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_reading_everything_again_changes_nothing(hub, calm, source) -> None:
    first = hub.read(calm, source)
    hub.query("delete from intake.dirty returning 1")
    before = hub.everything()
    again = hub.read(calm, source, full=True)
    assert [(run.read, run.quarantined) for run in again] == [(run.read, run.quarantined) for run in first]
    assert all(run.accepted == 0 and run.mode == "full" for run in again)
    assert hub.everything() == before


def test_the_next_read_asks_for_what_changed_an_overlap_below_the_cursor(hub, calm) -> None:
    asked_at = datetime(2026, 12, 1, tzinfo=UTC)
    hub.read(calm, "tax")
    [(cursor,)] = hub.query("select position from intake.cursor")
    [report] = hub.read(calm, "tax", clock=lambda: asked_at)
    assert [(cursor,)] == hub.query("select max(stated_at) from intake.record_state")
    assert report.mode == "changes"
    assert report.window.since == cursor - timedelta(hours=1)
    assert report.window.until == asked_at - timedelta(minutes=5)
    assert 0 < report.read < 20
    assert report.accepted == 0


def test_the_cursor_never_passes_what_may_still_commit(hub, calm) -> None:
    skew = timedelta(minutes=5)
    early, later = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    hub.read(calm, "tax", clock=lambda: early)
    [(first, latest)] = hub.query(
        "select position, max(stated_at) from intake.cursor, intake.record_state group by 1"
    )
    assert first == latest < early - skew
    hub.read(calm, "tax", clock=lambda: later)
    [(position,)] = hub.query("select position from intake.cursor")
    assert early < position < later - skew


def test_following_the_changes_leads_to_the_same_rows_as_a_first_read_after_them(new_hub, tmp_path) -> None:
    followed, anew = new_hub(), new_hub()
    accepted, deleted = {}, {}
    with Systems.start(tmp_path / "moving", 600, seed=7, calm=True, timeout=120) as moving:
        for source in SOURCES:
            followed.read(moving, source)
        for _ in range(2):
            moving.advance(2)
            for source in SOURCES:
                reports = followed.read(moving, source)
                accepted[source] = accepted.get(source, 0) + sum(run.accepted for run in reports)
                deleted[source] = deleted.get(source, 0) + sum(run.deleted for run in reports)
        for source in SOURCES:
            anew.read(moving, source)
    assert all(accepted[source] and deleted[source] for source in SOURCES)
    assert followed.rows() == anew.rows()
    living = (
        "select source, stream, source_key, stated_at from intake.record_state "
        "where deletion is null order by 1,2,3"
    )
    assert followed.query(living) == anew.query(living)


def test_too_many_rejected_records_stop_the_run_before_they_land(hub, calm) -> None:
    connector = hub.connector("population", size=100)
    spec = connector.streams["citizens"]
    strict = spec.quarantine.model_copy(update={"at_most": 0.0001, "after": 100})
    streams = {"citizens": spec.model_copy(update={"quarantine": strict})}
    with pytest.raises(ContractBroken, match=r"quarantine\.at_most 0\.0001"):
        hub.read(calm, "population", connector.model_copy(update={"streams": streams}))
    assert hub.query("select * from intake.rejected") == []
    assert hub.query("select * from intake.checkpoint") == []


def test_a_stream_is_read_by_one_process_at_a_time(hub, calm, database) -> None:
    with locked(database, "sync tax.registrations"), pytest.raises(RunBusy, match=r"tax\.registrations"):
        hub.read(calm, "tax")
    assert hub.runs() == []


def test_the_listener_hears_growing_totals_and_the_end(hub, calm) -> None:
    heard = []
    [report] = hub.read(calm, "population", hub.connector("population", size=100), report=heard.append)
    assert [each.pages for each in heard] == [*range(1, report.pages + 1), report.pages]
    assert [each.done for each in heard] == [False] * report.pages + [True]
    assert heard[-1] == report


def test_an_unknown_stream_is_named_with_the_known_ones(hub, calm) -> None:
    with pytest.raises(ConfigError, match="no stream 'accuonts'; there are: accounts, dossiers"):
        hub.read(calm, "portal", streams=["accuonts"])


def test_the_log_has_no_personal_data(hub, calm, caplog) -> None:
    caplog.set_level("DEBUG", logger="oncehub")
    hub.read(calm, "population")
    personal = hub.query("select unnest(array[full_name, personal_id, source_key]) from record.person")
    assert "population.citizens: page 1, read" in caplog.text
    assert not [value for (value,) in personal if value and value in caplog.text]


@pytest.mark.parametrize(
    "statement", ["select 'Bí Mật'::date", "insert into record.person (source) values ('Bí Mật')"]
)
def test_a_statement_that_the_database_refuses_is_reported_without_its_values(database, statement) -> None:
    with (
        pytest.raises(StoreError, match=r"^landing x: the hub's database refused it \(\w+") as caught,
        without_values("landing x"),
        database,
        database.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert "Bí Mật" not in str(caught.value)
    assert isinstance(caught.value.__context__, psycopg2.Error)
    assert caught.value.__suppress_context__


def test_what_is_too_large_for_the_database_is_not_worth_another_try(database) -> None:
    with (
        pytest.raises(StoreError, match=r"refused it \(ProgramLimitExceeded\)") as caught,
        without_values("landing x"),
        database,
        database.cursor() as cursor,
    ):
        cursor.execute("select repeat('x', 2000000000)")
    assert type(caught.value) is StoreError


def test_an_error_without_a_code_is_a_lost_connection_as_psycopg2_raises_it_of_a_killed_server() -> None:
    said = "server closed the connection unexpectedly"
    with (
        pytest.raises(StoreUnavailable, match=r"^landing x: .* failed \(connection lost\); try again"),
        without_values("landing x"),
    ):
        raise psycopg2.DatabaseError(said)
