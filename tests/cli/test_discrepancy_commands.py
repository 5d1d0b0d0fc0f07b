"""`oncehub discrepancies`: what is open and how grave, without telling what it says unless that is logged."""

from __future__ import annotations

import json

import pytest

from benchmarks.data.filling import fill
from oncehub.reconcile.run import reconcile
from stubs.world.world import World

_CONFLICT = """
select discrepancy_id, source_value #>> '{}', source_key
from truth.discrepancy
where (source, attribute, kind) = ('tax', 'full_name', 'conflict')
order by discrepancy_id
limit 1
"""


@pytest.fixture
def conflict(settings, database):
    """Number, stated name and record key of a conflict that is open for 100 days."""
    fill(settings, World.generate(500, seed=1))
    reconcile(settings, database)
    with database, database.cursor() as cursor:
        cursor.execute(_CONFLICT)
        found = cursor.fetchone()
        cursor.execute(
            "update truth.discrepancy set opened_at = opened_at - interval '100 days' "
            "where discrepancy_id = %s",
            (found[0],),
        )
    return found


def test_values_and_keys_are_masked_unless_showing_them_is_logged(oncehub, conflict, database):
    number, name, key = conflict
    told = oncehub("discrepancies", "show", str(number))
    assert told.returncode == 0, told.stderr
    assert "conflict" in told.stdout
    listed = oncehub("discrepancies", "list", "tax", "--json")
    assert name not in told.stdout + listed.stdout
    assert key not in told.stdout + listed.stdout
    assert _disclosed(database) == []
    assert "the first 1 only" in oncehub("discrepancies", "list", "--days", "90", "--limit", "1").stdout
    clear = json.loads(oncehub("discrepancies", "show", str(number), "--show-personal-data", "--json").stdout)
    assert (clear["source_value"], clear["source_key"], clear["days"]) == (
        name,
        key,
        pytest.approx(100, abs=1),
    )
    assert _disclosed(database) == [("discrepancies show", "tax", "registrations", 1)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "0"), "there is no discrepancy 0"),
        (("list", "land"), "no connector 'land'"),
        (("list", "--closed", "--severity", "low"), "leave --severity or --closed out"),
    ],
)
def test_what_cannot_be_shown_is_named(oncehub, arguments, told):
    done = oncehub("discrepancies", *arguments)
    assert (done.returncode, told in done.stderr) == (2, True)


def _disclosed(database):
    with database, database.cursor() as cursor:
        cursor.execute("select command, source, stream, records from audit.disclosure")
        return cursor.fetchall()
