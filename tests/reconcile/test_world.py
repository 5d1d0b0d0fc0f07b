"""Against the simulated world, which knows what it planted: nothing missed, nothing reported beyond it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_document
from oncehub.intake.sync import sync
from oncehub.reconcile.run import reconcile
from stubs.client import Systems

PEOPLE = 1000
SOURCES = {"portal", "tax", "customs", "banking"}
KINDS = {"conflict", "stale", "form", "missing", "wrong_person", "deceased", "duplicate", "invalid"}


class Finding(NamedTuple):
    """A discrepancy as the simulated world and the hub both tell it."""

    source: str
    stream: str
    source_key: str
    attribute: str
    kind: str
    register_id: str


@pytest.fixture
def living(tmp_path):
    with Systems.start(tmp_path / "systems", PEOPLE, seed=3, calm=True, timeout=120) as systems:
        yield systems


def test_every_planted_disagreement_is_found_and_no_other_day_after_day(living, settings, database):
    for _ in range(3):
        _sync_all(living, settings, database)
        reconcile(settings, database)
        planted = _planted(living)
        assert _open(database) == planted
        assert len(planted) > 50
        assert _linked(database) == _linked_in_truth(living)
        living.advance(1)


def test_every_kind_is_found_with_its_person_and_closes_when_its_source_has_corrected_itself(
    living, settings, database
):
    _sync_all(living, settings, database)
    assert reconcile(settings, database).adds_up
    planted = _planted(living)
    assert {finding.kind for finding in planted} == KINDS
    assert {finding.source for finding in planted} == SOURCES
    assert _open(database) == planted

    assert living.correct("tax") == len({finding[:3] for finding in planted if finding.source == "tax"})
    _sync_all(living, settings, database)
    assert reconcile(settings, database).adds_up
    assert _open(database) == _planted(living)
    assert not any(finding.source == "tax" for finding in _open(database))

    living.correct()
    _sync_all(living, settings, database)
    report = reconcile(settings, database)
    assert (report.adds_up, report.open_by_kind) == (True, {})
    assert _planted(living) == set()
    closed = _closed(database)
    assert {_finding(row) for row in closed} >= planted
    assert all(row["resolution_time"] > timedelta(0) for row in closed)
    assert {(row["kind"], row["closed_because"]) for row in closed} >= {
        ("conflict", "corrected"),
        ("deceased", "corrected"),
        ("duplicate", "record_gone"),
        ("form", "corrected"),
        ("invalid", "corrected"),
        ("missing", "corrected"),
        ("stale", "corrected"),
        ("wrong_person", "corrected"),
    }


def _sync_all(systems, settings, database):
    now = datetime.fromisoformat(systems.health()["now"]) + timedelta(hours=1)
    for name, connector in load_connectors(settings).items():
        connection = connection_from_document(systems.connections[name], name)
        sync(settings, connector, connection, database=database, clock=lambda: now)


def _planted(systems):
    return {_finding(row) for row in systems.truth("discrepancies")}


def _open(database):
    return {_finding(row) for row in _told(database, "truth.open_discrepancy")}


def _closed(database):
    return _told(database, "truth.closed_discrepancy")


def _told(database, view):
    """The discrepancies of a view, with the register's key of the person."""
    with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            sql.SQL(
                "select d.*, k.source_key as register_id "
                "from {} d join truth.link k on k.person_key = d.person_key and k.method = 'register'"
            ).format(sql.Identifier(*view.split(".")))
        )
        return cursor.fetchall()


def _finding(row):
    return Finding(*(row[name] for name in Finding._fields))


def _linked(database):
    with database, database.cursor() as cursor:
        cursor.execute("select method, count(*) from truth.link where method <> 'register' group by method")
        return dict(cursor.fetchall())


def _linked_in_truth(systems):
    counts = Counter(row["method"] for row in systems.truth("links"))
    return {method: count for method, count in counts.items() if method not in {"none", "wrong_person"}}
