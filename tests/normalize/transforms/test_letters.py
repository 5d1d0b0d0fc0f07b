"""Tone marks, accents and case are changed in form only: what the database folds stays the same."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.normalize.transforms.registry import named
from stubs.world.people.spelling import other_tone_place

from .test_tcvn3 import WORDS

TONES = "\u0300\u0301\u0303\u0309\u0323"
BARE = "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
TONED = [unicodedata.normalize("NFC", vowel + tone) for vowel in BARE for tone in TONES]
PARTS = st.text(st.sampled_from([*BARE, *"đĐÐqQbnh9"]), max_size=3)
WRITTEN = st.tuples(PARTS, st.sampled_from(["", *TONED]), PARTS).map("".join)
TEXTS = st.builds(
    unicodedata.normalize,
    st.sampled_from(["NFC", "NFD"]),
    st.tuples(st.sampled_from(["", " ", "  "]), st.lists(WRITTEN).map(" ".join)).map("".join),
)
IN_FORM_ONLY = ["nfc", "squeeze", "without_accents"]


def apply(written, *values):
    _, change, _ = named(written)
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
    return frame.select(change(pl.col("value"))).to_series().to_list()


def folded(database, texts):
    with database.cursor() as cursor:
        cursor.execute(
            "select text.fold(t), t from unnest(%s::text[]) with ordinality as u (t, n) order by n", (texts,)
        )
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize("written", IN_FORM_ONLY)
def test_names_fold_in_the_database_as_they_did_before(database, written):
    names = [case(name) for name in WORDS for case in (str, str.upper, other_tone_place)]
    assert folded(database, apply(written, *names)) == folded(database, names)


@pytest.mark.parametrize("written", IN_FORM_ONLY)
def test_any_words_with_one_tone_mark_each_fold_in_the_database_as_it_did_before(database, written):
    @given(st.lists(TEXTS, min_size=1, max_size=30))
    def unchanged(texts):
        assert folded(database, apply(written, *texts)) == folded(database, texts)

    unchanged()


def test_without_accents_and_in_small_letters_a_name_is_its_own_folded_form(database):
    names = [f"{first} {last}" for first in WORDS[::7] for last in WORDS[::5] if (first + last).isalpha()]
    plain = [name.lower() for name in apply("without_accents", *names)]
    assert folded(database, names) == plain
    assert all(name.isascii() for name in plain)
