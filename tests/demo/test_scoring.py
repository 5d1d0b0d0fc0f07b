"""The score: what was planted against what is open."""

from __future__ import annotations

from typing import Any

import pytest

from demo.failure import DemoFailed
from demo.results.scoring import score_discrepancies
from oncehub.store.connection import Connection
from stubs.client import Systems

_OPEN = """
insert into truth.discrepancy (person_key, attribute, source, stream, source_key, kind, stated_at)
values (gen_random_uuid(), %(attribute)s, %(source)s, %(stream)s, %(source_key)s, %(kind)s, now())
"""
_CLOSE = """
update truth.discrepancy set closed_at = now(), closed_because = 'corrected'
where (source, source_key, attribute) = (%(source)s, %(source_key)s, %(attribute)s)
"""
_CALL_CONFLICT = """
update truth.discrepancy set kind = 'conflict'
where (source, source_key, attribute) = (%(source)s, %(source_key)s, %(attribute)s)
"""


@pytest.fixture
def planted(systems: Systems, database: Connection) -> list[dict[str, Any]]:
    """The world's discrepancies, all of them open in the database."""
    rows = systems.truth("discrepancies")
    assert rows
    for row in rows:
        run(database, _OPEN, row)
    return rows


def run(database: Connection, statement: str, row: dict[str, Any]) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(statement, row)


def test_all_that_was_planted_and_nothing_else_is_perfect(
    systems: Systems, database: Connection, planted: list[dict[str, Any]]
) -> None:
    score = score_discrepancies(database, systems)
    score.require_perfect()
    assert score.found == score.planted == len(planted)


def test_a_closed_discrepancy_is_missed_and_another_kind_is_false(
    systems: Systems, database: Connection, planted: list[dict[str, Any]]
) -> None:
    first, second = planted[0], next(row for row in planted[1:] if row["kind"] == "stale")
    run(database, _CLOSE, first)
    run(database, _CALL_CONFLICT, second)

    score = score_discrepancies(database, systems)

    assert (len(score.missed), len(score.false)) == (2, 1)
    with pytest.raises(DemoFailed) as caught:
        score.require_perfect()
    assert f"{second['source']} {second['attribute']} conflict 1" in str(caught.value)
    assert not any(row["source_key"] in str(caught.value) for row in (first, second))
