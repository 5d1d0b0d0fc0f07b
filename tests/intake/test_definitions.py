"""A contract, mapping or code list that changes reaches what landed before, or it is told that it did not."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

import pytest
import yaml

from oncehub.normalize.normalizer import load_normalizer

from .conftest import START, Killed, killing
from .register import BY_TIME, SOURCE, STREAM

DAY = timedelta(days=1)
KEPT = "oncehub sync land.holders --full"


@pytest.fixture
def land(new_land):
    """Five records, two a page."""
    land = new_land(changes=BY_TIME)
    for day, key in enumerate("abcde"):
        land.register.state(key, START + day * DAY, f"An {key}")
    return land


def mapped(land, **attributes) -> None:
    path = land.settings.mappings / "sources" / SOURCE / f"{STREAM}.yaml"
    path.write_text(yaml.safe_dump({"person": attributes}))


def in_capitals(land) -> None:
    mapped(land, full_name={"from": "name", "via": ["upper"]})


def definition(land) -> str:
    return load_normalizer(land.settings, land.land, STREAM).definition


def test_a_changed_mapping_reaches_records_that_did_not_change_when_all_are_read(land) -> None:
    land.take()
    land.query("delete from intake.dirty")
    in_capitals(land)
    assert land.take(full=True).accepted == 5
    assert set(land.living().values()) == {f"AN {key}" for key in "ABCDE"}
    assert land.query("select count(*) from intake.dirty") == [(5,)]
    assert land.take(full=True).accepted == 0


def test_reading_only_changes_after_the_mapping_changed_warns_until_all_records_are_read(
    land, caplog
) -> None:
    land.take()
    land.take()
    assert KEPT not in caplog.text
    in_capitals(land)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            land.take()
        assert KEPT in caplog.text
    land.take(full=True)
    caplog.clear()
    land.take()
    assert KEPT not in caplog.text


def test_a_full_read_that_the_old_mapping_began_is_not_gone_on_with_when_all_is_asked_for(land) -> None:
    with pytest.raises(Killed):
        land.take(report=killing(1))
    in_capitals(land)
    land.take(full=True)
    assert set(land.living().values()) == {f"AN {key}" for key in "ABCDE"}
    states = [(state, error) for _, _, state, _, error in land.runs()]
    assert states == [("failed", "given up: contract or mapping has changed since"), ("succeeded", None)]


def test_a_full_read_that_was_killed_goes_on_while_nothing_changed(land) -> None:
    with pytest.raises(Killed):
        land.take(full=True, report=killing(1))
    land.take(full=True)
    first, *_ = land.runs()
    assert first[:4] == (1, "full", "succeeded", 3)


def test_a_code_list_counts_when_the_mapping_uses_it_and_else_not(land) -> None:
    codes = land.settings.mappings / "codes"
    shipped = codes.resolve()
    codes.unlink()
    shutil.copytree(shipped, codes)
    mapped(land, full_name={"from": "name"}, sex={"from": "name", "codes": "sex_1_0"})
    before = definition(land)
    assert definition(land) == before
    (codes / "sex_words.yaml").unlink()
    assert definition(land) == before
    listed = codes / "sex_1_0.yaml"
    listed.write_text(listed.read_text("utf-8").replace("female", "male"), "utf-8")
    assert definition(land) != before
