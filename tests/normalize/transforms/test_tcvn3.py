from __future__ import annotations

import polars as pl
import pytest

from oncehub.normalize.transforms.encodings import TCVN3_TO_CAPITAL, tcvn3
from stubs.world.people import names
from stubs.world.people.spelling import TCVN3, betrays_tcvn3, tcvn3_capitals

ACCENTED = "".join(TCVN3)


def world_words():
    """Every word the simulated world builds names of."""
    for value in (value for name, value in vars(names).items() if not name.startswith("__")):
        match value:
            case list() if value and isinstance(value[0], str):
                yield from value
            case dict():
                yield from (key for key in value if isinstance(key, str))
                yield from (word for words in value.values() if isinstance(words, list) for word in words)


WORDS = sorted(set(world_words()))


def decoded(values):
    return pl.DataFrame({"name": values}).select(tcvn3(pl.col("name"))).to_series().to_list()


def test_all_134_accented_letters_are_known():
    assert len(ACCENTED) == 67
    assert {TCVN3_TO_CAPITAL[TCVN3[letter]] for letter in ACCENTED} == set(ACCENTED.upper())
    assert len(set(ACCENTED + ACCENTED.upper())) == 134


@pytest.mark.parametrize("letter", ACCENTED)
def test_each_letter_is_decoded_in_a_name_that_betrays_its_encoding(letter):
    # Þ (ị) is a letter that no Vietnamese text in Unicode holds.
    assert decoded([f"B{TCVN3[letter]} TH\u00de"]) == [f"B{letter.upper()} THỊ"]


@pytest.mark.parametrize("letter", ACCENTED)
def test_each_capital_letter_in_unicode_is_left_alone(letter):
    assert decoded([f"THỊ B{letter.upper()}"]) == [f"THỊ B{letter.upper()}"]


def test_every_word_of_the_world_that_betrays_tcvn3_comes_back():
    betraying = [word for word in WORDS if betrays_tcvn3(word)]
    assert len(betraying) > 50
    assert decoded([tcvn3_capitals(word) for word in betraying]) == [word.upper() for word in betraying]


def test_every_pair_of_words_that_betrays_tcvn3_comes_back():
    pairs = [f"{first} {last}" for first in WORDS for last in WORDS if betrays_tcvn3(f"{first} {last}")]
    assert decoded([tcvn3_capitals(pair) for pair in pairs]) == [pair.upper() for pair in pairs]


def test_no_pair_of_words_in_unicode_capitals_is_touched():
    pairs = [f"{first} {last}".upper() for first in WORDS for last in WORDS]
    assert decoded(pairs) == pairs


@pytest.mark.parametrize("syllable", ["NGUYÔN", "TUYÕT", "NGHIÔM", "CHÝNH"])
def test_a_syllable_that_cannot_be_vietnamese_betrays_tcvn3(syllable):
    expected = {"NGUYÔN": "NGUYỄN", "TUYÕT": "TUYẾT", "NGHIÔM": "NGHIỄM", "CHÝNH": "CHÍNH"}
    assert decoded([syllable]) == [expected[syllable]]


@pytest.mark.parametrize("name", ["Lê Văn Hà", "Ðỗ Hòa", "ÐINH AN", "GIÓNG", "QUÝ", "LÝ", "THÚY QUỲNH"])
def test_mixed_case_and_look_alikes_are_left_to_other_transforms(name):
    assert decoded([name]) == [name]
