"""Against the simulated world, which knows what it planted: nothing missed, nothing reported beyond it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from oncehub.intake import sync
from oncehub.model.catalogue import load_connectors
from oncehub.model.connection import connection_from_document
from oncehub.reconcile import reconcile
from stubs.client import Systems

PEOPLE = 1000


@pytest.fixture
def living(tmp_path):
    with Systems.start(tmp_path / "systems", PEOPLE, seed=3, calm=True, timeout=120) as systems:
        yield systems


def test_every_planted_disagreement_is_found_and_no_other_day_after_day(living, settings, database):
    for _ in range(3):
        _sync_all(living, settings, database)
        reconcile(settings, database)
        planted = living.truth("discrepancies")
        assert _open(database) == {tuple(row.values()) for row in planted}
        assert len(planted) > 50
        assert _linked(database) == _linked_in_truth(living)
        living.advance(1)


def _sync_all(systems, settings, database):
    now = datetime.fromisoformat(systems.health()["now"]) + timedelta(hours=1)
    for name, connector in load_connectors(settings).items():
        connection = connection_from_document(systems.connections[name], name)
        sync(settings, connector, connection, database=database, clock=lambda: now)


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


def _linked_in_truth(systems):
    counts = Counter(row["method"] for row in systems.truth("links"))
    return {method: count for method, count in counts.items() if method not in {"none", "wrong_person"}}
