"""`oncehub person`: what is believed of somebody and why, without telling what unless it is asked for."""

from __future__ import annotations

import json

import pytest

from benchmarks.data.filling import fill
from oncehub.reconcile.run import reconcile
from stubs.world.world import World

_CONTESTED = """
select k.person_key::text, p.phone
from truth.person p join truth.link k using (person_key)
join record.person r using (source, stream, source_key)
where p.phone <> r.phone
order by 1 limit 1
"""


@pytest.fixture
def contested(settings, database):
    fill(settings, World.generate(500, seed=1))
    reconcile(settings)
    with database, database.cursor() as cursor:
        cursor.execute(_CONTESTED)
        return cursor.fetchone()


def test_a_choice_is_explained_with_its_losers_and_shown_in_clear_only_when_that_is_logged(
    oncehub, contested, database
):
    person, phone = contested
    told = oncehub("person", "explain", person)
    assert told.returncode == 0, told.stderr
    assert "full_name: Xx" in told.stdout
    assert "the authority on it" in told.stdout
    assert "has less weight" in told.stdout
    assert phone not in told.stdout

    masked = json.loads(oncehub("person", "explain", person, "--attribute", "phone", "--json").stdout)
    (choice,) = masked["choices"]
    assert (masked["person_key"], choice["attribute"], choice["won"]) == (person, "phone", "weight")
    assert choice["value"] == "+99999999999"
    assert {candidate["lost"] for candidate in choice["candidates"]} >= {None, "weight"}
    assert phone not in json.dumps(masked)
    assert _disclosed(database) == []

    clear = oncehub("person", "explain", person, "--attribute", "phone", "--show-personal-data")
    assert phone in clear.stdout
    assert _disclosed(database) == [("person explain", "truth", "person", 1)]


def test_a_history_is_shown_with_values_masked(oncehub, contested, database):
    person, phone = contested
    told = oncehub("person", "history", person)
    assert told.returncode == 0, told.stderr
    assert ("believed until" in told.stdout, "true until" in told.stdout) == (True, True)
    assert phone not in told.stdout

    on = json.loads(
        oncehub(
            "person", "history", person, "--attribute", "phone", "--true-on", "2026-08-01", "--json"
        ).stdout
    )
    assert [period["value"] for period in on["attributes"]["phone"]["periods"]] == ["+99999999999"]
    before = ("--believed-at", "2020-01-01T00:00:00")
    assert json.loads(oncehub("person", "history", person, *before, "--json").stdout)["attributes"] == {}
    assert _disclosed(database) == []
    assert phone in oncehub("person", "history", person, "--show-personal-data").stdout
    assert _disclosed(database) == [("person history", "truth", "person", 1)]


def test_an_unknown_person_or_attribute_is_reported(oncehub):
    nobody = oncehub("person", "explain", "00000000-0000-0000-0000-000000000000")
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert nobody.stderr.startswith("oncehub: the person of that key had no golden record at that moment")
    assert oncehub("person", "explain", "001184000001").returncode == 2


def _disclosed(database):
    with database, database.cursor() as cursor:
        cursor.execute("select command, source, stream, records from audit.disclosure order by disclosure_id")
        return cursor.fetchall()
