from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import psycopg2.errors
import pytest

from oncehub.audit.log.entries import read_entries, write
from oncehub.audit.log.pseudonyms import feed_pseudonym, person_pseudonym, pseudonym_key
from oncehub.encryption.secrets import create_key
from oncehub.store.connection import Connection

from ..conftest import ENTRY, KEY

AN, BINH = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


def test_what_is_written_is_read_back(database: Connection) -> None:
    refused = replace(ENTRY, person=None, refused=("person.religion",), outcome="refused")
    with database:
        write(database, ENTRY)
        write(database, refused)
    written = read_entries(database)
    assert [one.entry for one in written] == [ENTRY, refused]
    assert all(one.at.utcoffset() is not None for one in written)
    assert [one.entry for one in read_entries(database, after=written[0].entry_id)] == [refused]
    assert len(read_entries(database, limit=1)) == 1


def test_a_person_finds_the_entries_that_concern_them_only(database: Connection) -> None:
    with database:
        write(database, ENTRY)
        write(database, replace(ENTRY, person=person_pseudonym(KEY, BINH)))
        write(database, replace(ENTRY, person=None))
    assert [one.entry for one in read_entries(database, person_pseudonym(KEY, AN))] == [ENTRY]


def test_an_entry_goes_with_its_transaction(database: Connection) -> None:
    write(database, ENTRY)
    database.rollback()
    assert read_entries(database) == []


def test_an_outcome_the_log_does_not_know_is_refused(database: Connection) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation), database:
        write(database, replace(ENTRY, outcome="perhaps"))  # type: ignore[arg-type]


def test_a_pseudonym_hangs_on_the_key_the_person_and_what_it_is_for(tmp_path: Path) -> None:
    create_key("pseudonym", tmp_path)
    other_key = pseudonym_key(tmp_path)
    assert other_key == pseudonym_key(tmp_path)
    pseudonyms = {
        made
        for key in (KEY, other_key)
        for who in (AN, BINH)
        for made in (
            person_pseudonym(key, who),
            feed_pseudonym(key, "residence", who),
            feed_pseudonym(key, "taxpayers", who),
        )
    }
    assert len(pseudonyms) == 12
    assert not any(AN.replace("-", "") in made for made in pseudonyms)
