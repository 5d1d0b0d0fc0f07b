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
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
TEXTS = st.builds(
    unicodedata.normalize,
    st.sampled_from(["NFC", "NFD"]),
    st.tuples(st.sampled_from(["", " ", "  "]), st.lists(WRITTEN).map(" ".join)).map("".join),
)
IN_FORM_ONLY = ["nfc", "trim", "squeeze", "name_case", "without_accents", "tone_placement"]


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


@pytest.mark.parametrize("written", [*IN_FORM_ONLY, {"tone_placement": "old"}], ids=str)
def test_names_fold_in_the_database_as_they_did_before(database, written):
    names = [case(name) for name in WORDS for case in (str, str.upper, other_tone_place)]
    assert folded(database, apply(written, *names)) == folded(database, names)


@pytest.mark.parametrize("written", [*IN_FORM_ONLY, {"tone_placement": "old"}], ids=str)
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


def test_both_places_of_a_tone_mark_become_the_one_asked_for():
    old = ["Hòa", "HÒA", "khỏe", "Thủy", "THÚY", "lụy", "lọa", "xòe", "Lý Thị Hòa"]
    new = ["Hoà", "HOÀ", "khoẻ", "Thuỷ", "THUÝ", "luỵ", "loạ", "xoè", "Lý Thị Hoà"]
    for given_forms in (old, new):
        assert apply("tone_placement", *given_forms) == new
        assert apply({"tone_placement": "old"}, *given_forms) == old


@pytest.mark.parametrize(
    "word", ["quý", "Quỳnh", "hoàn", "hoặc", "khuỷu", "thuở", "giòn", "của", "mía", "hoài", "bò a"]
)
def test_a_tone_mark_with_one_place_stays_there(word):
    assert apply("tone_placement", word) == apply({"tone_placement": "old"}, word) == [word]


@given(NAMES)
def test_tone_placement_is_the_same_when_done_twice_and_goes_both_ways(name):
    (new,) = apply("tone_placement", name)
    (old,) = apply({"tone_placement": "old"}, name)
    assert apply("tone_placement", new, old) == [new, new]
    assert apply({"tone_placement": "old"}, new, old) == [old, old]


def test_a_style_of_tone_marks_is_new_or_old():
    with pytest.raises(ValueError, match="write new, as in hoà, or old, as in hòa"):
        named({"tone_placement": "modern"})


@given(NAMES)
def test_a_name_all_in_capitals_gets_its_case_back(name):
    declared = " ".join(word[0].upper() + word[1:].lower() for word in name.split() if "'" not in word)
    assert apply("name_case", declared.upper(), declared.lower()) == [declared, declared]
    assert apply("name_case", declared + " k'Ho X") == [declared + " k'Ho X"]
