"""Every record of a simulated world, as sent: exactly the planted breaks are rejected."""

from __future__ import annotations

import unicodedata

import orjson
import polars as pl
import pytest

from stubs.world import World

from .configuration import ROOT, STREAMS, load


@pytest.fixture(scope="module")
def world():
    return World.generate(1500, seed=7)


def sent(world, source, stream):
    frame = world.frame(source, stream)
    fields = [name for name in frame.columns if not name.startswith("_")]
    texts = frame.select(pl.coalesce("_raw", pl.struct(fields).struct.json_encode())).to_series()
    return [orjson.loads(text) for text in texts]


# What is submitted is not read from the simulated systems.
@pytest.mark.parametrize(("source", "stream"), [each for each in STREAMS if each[1] != "submissions"])
def test_exactly_the_broken_records_are_rejected(world, source, stream):
    batch = load(ROOT, source, stream).normalize(sent(world, source, stream))
    of_stream = (pl.col("source") == source) & (pl.col("stream") == stream)
    broken = set(world.truth().broken.filter(of_stream)["source_key"])
    assert broken
    assert {rejected.source_key for rejected in batch.rejected} == broken
    deleted = world.frame(source, stream).filter("_deleted")["_key"]
    if source == "customs":
        # A record that is gone from the nightly file is not marked in it.
        assert batch.deleted.is_empty()
    else:
        assert set(batch.deleted["source_key"]) == set(deleted)


def test_names_in_tcvn3_come_back_in_unicode_capitals(world):
    names = [record["hoTen"] for record in sent(world, "tax", "registrations")]
    legacy = [name for name in names if isinstance(name, str) and any(c in name for c in "¸µ¶·¹¨©ª«¬®Þ")]
    assert legacy
    people = (
        load(ROOT, "tax", "registrations").normalize(sent(world, "tax", "registrations")).frames["person"]
    )
    for name in people["full_name"]:
        assert name == name.upper() == unicodedata.normalize("NFC", name)
        assert not set(name) & set("¸µ¶·¹¨»¾¼½Æ©Ç®ª«¬\u00adÞß")
