"""The benchmark of reconciling measures the real thing: what it fills a hub with is what landing gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg2 import sql

from benchmarks.data.changes import change_one_in_a_hundred
from benchmarks.data.filling import COVERAGE, fill
from benchmarks.measuring.server import Server
from benchmarks.peers.floor import Written, copy_into_twins, make_twins
from benchmarks.reconcile import Measured, measure
from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_document
from oncehub.intake.sync import sync
from oncehub.reconcile.run import reconcile
from oncehub.settings import Settings
from oncehub.store.connection import connect
from oncehub.store.server import DATABASE
from stubs.client import Systems
from stubs.world.world import World

PEOPLE = 1_000

_RECORDS = """
select relname from pg_class
where relnamespace = 'record'::regnamespace and relkind = 'p' order by relname
"""
_INTAKE = ("intake.record_state", "intake.dirty")


@pytest.fixture(scope="module")
def home(server_folder) -> Path:
    return server_folder()


@pytest.fixture(scope="module")
def measured(home: Path) -> Iterator[tuple[Server, Measured]]:
    server = Server(home / "postgres")
    try:
        yield server, measure(server, home, PEOPLE, increments=2)
    finally:
        server.stop()


def test_a_filled_hub_holds_what_landing_over_http_gives(new_settings, tmp_path):
    filled, landed = new_settings(), new_settings()
    world = World.generate(PEOPLE, seed=3)
    fill(filled, world)
    with Systems.start(tmp_path / "systems", PEOPLE, seed=3, calm=True, timeout=120) as systems:
        _sync_all(systems, landed, world)
    of_filled, of_landed = _held(filled), _held(landed)
    assert sum(of_filled["intake.dirty"].values()) > 2 * PEOPLE
    assert of_filled == of_landed


def test_a_filled_hub_reconciles_to_the_truth_of_its_world(settings, database):
    world = World.generate(PEOPLE, seed=3, coverage=COVERAGE)
    fill(settings, world)
    reconcile(settings, database)
    truth = world.truth()
    assert _open(database) == set(truth.discrepancies.drop("register_id").iter_rows())
    assert truth.discrepancies.height > 50
    linked = Counter(truth.links["method"])
    assert _linked(database) == {
        method: count for method, count in linked.items() if method not in {"none", "wrong_person"}
    }


_MADE = """
select distinct pg_encoding_to_char(encoding), datlocprovider, datlocale
from pg_database where datname in (%s, %s)
"""


def test_what_is_measured_is_kept_in_a_database_made_as_the_hub_s_own(measured):
    server, _ = measured
    with closing(connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute(_MADE, (DATABASE, f"measured_{PEOPLE}"))
        assert cursor.fetchall() == [("UTF8", "b", "C.UTF-8")]


def test_a_filled_hub_has_more_than_three_records_a_person(measured):
    _, taken = measured
    assert 3.1 < taken.records / PEOPLE < 3.3


def test_the_floor_copies_every_row_that_everything_wrote(settings, database):
    fill(settings, World.generate(PEOPLE, coverage=COVERAGE))
    before = Written.of(database)
    reconcile(settings, database)
    written = Written.of(database).since(before)
    assert {"truth.person", "truth.link", "truth.discrepancy", "share.change"} <= set(written)
    make_twins(database, written)
    copy_into_twins(database, written)
    for table, rows in written.items():
        twin = sql.Identifier("floor", table.split(".")[1])
        assert _rows(database, twin) == _rows(database, sql.Identifier(*table.split(".")))
        assert sum(_rows(database, twin).values()) == rows
        assert _indexes(database, "floor", table) == _indexes(database, table.split(".")[0], table)


def test_every_record_of_a_hundredth_of_the_people_changes(settings, database):
    fill(settings, World.generate(PEOPLE, coverage=COVERAGE))
    reconcile(settings, database)
    before = _rows(database, sql.Identifier("record", "person"))
    changed = change_one_in_a_hundred(database, 7)
    after = _rows(database, sql.Identifier("record", "person"))
    assert (before - after).total() == changed.records
    assert 0 < changed.people < PEOPLE / 25
    report = reconcile(settings, database)
    assert report.dirty == changed.records
    assert report.people_changed > changed.people / 2


def test_the_figures_add_up(measured):
    server, taken = measured
    assert taken.written["truth.person"] == taken.written["share.change"] > 0.98 * PEOPLE
    assert taken.written["truth.link"] + taken.written["truth.unlinked"] == taken.records
    assert sum(taken.phases.shards) == taken.written["truth.person"]
    assert taken.phases.linking + taken.phases.settling <= taken.full.seconds
    assert taken.of_floor == taken.full.seconds / taken.floor.seconds
    assert len(taken.increments) == 2
    assert min(each.records for each in taken.increments) > 0
    assert 0 < taken.full.process < taken.full.seconds
    assert taken.slowest == sorted(taken.slowest, key=lambda each: -each.seconds)
    assert any("truth.person" in each.text for each in taken.slowest)
    assert sum(each.seconds for each in taken.slowest) < taken.full.seconds
    assert server.settings()["fsync"] == "on"


def test_a_filled_hub_is_filled_once(measured, home, monkeypatch):
    server, taken = measured
    monkeypatch.setattr("benchmarks.reconcile.fill", None)
    assert measure(server, home, PEOPLE, increments=1).written == taken.written


def _sync_all(systems: Systems, settings: Settings, world: World) -> None:
    now = world.now + timedelta(hours=1)
    for name, connector in load_connectors(settings).items():
        connection = connection_from_document(systems.connections[name], name)
        sync(settings, connector, connection, clock=lambda: now)


def _held(settings: Settings) -> dict[str, Counter[str]]:
    """Everything landed, times of landing aside."""
    assert settings.database_url
    database = connect(settings.database_url)
    try:
        with database, database.cursor() as cursor:
            cursor.execute(_RECORDS)
            tables = [f"record.{name}" for (name,) in cursor.fetchall()] + list(_INTAKE)
        return {table: _rows(database, sql.Identifier(*table.split("."))) for table in tables}
    finally:
        database.close()


def _rows(database, table: sql.Identifier) -> Counter[str]:
    query = sql.SQL("select (to_jsonb(t) - '{{received_at,mark}}'::text[])::text from {} t").format(table)
    with database, database.cursor() as cursor:
        cursor.execute(query)
        return Counter(row for (row,) in cursor.fetchall())


def _indexes(database, schema: str, table: str) -> list[int]:
    """How many columns each index of the table has, and whether it is unique, of partitions too."""
    with database, database.cursor() as cursor:
        cursor.execute(
            "select indnatts * case when indisunique then 1 else -1 end "
            "from pg_index join pg_class c on c.oid = indrelid join pg_namespace n on n.oid = relnamespace "
            "where nspname = %s and (relname = %s or exists (select from pg_inherits "
            "join pg_class p on p.oid = inhparent where inhrelid = c.oid and p.relname = %s)) order by 1",
            (schema, table.split(".")[1], table.split(".")[1]),
        )
        return [count for (count,) in cursor.fetchall()]


def _open(database):
    with database, database.cursor() as cursor:
        cursor.execute(
            "select source, stream, source_key, attribute, kind from truth.discrepancy "
            "where closed_at is null"
        )
        return set(cursor.fetchall())


def _linked(database):
    with database, database.cursor() as cursor:
        cursor.execute("select method, count(*) from truth.link where method <> 'register' group by method")
        return dict(cursor.fetchall())
