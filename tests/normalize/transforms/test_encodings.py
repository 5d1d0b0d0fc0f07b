"""Texts taken for another encoding: what is sure comes back, and sound Unicode is left alone."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.normalize.transforms.encodings import TCVN3_TO_CAPITAL, can_be_vietnamese
from oncehub.normalize.transforms.registry import named
from stubs.world.people.spelling import TCVN3, tcvn3_capitals

from ..configuration import ROOT
from .test_tcvn3 import ACCENTED, WORDS

# Which character VNI draws over a letter for each accent, or for an accent and a tone.
VNI_MARKS = {
    "\u0300": "ø",
    "\u0301": "ù",
    "\u0309": "û",
    "\u0303": "õ",
    "\u0323": "ï",
    "\u0302": "â",
    "\u0302\u0300": "à",
    "\u0302\u0301": "á",
    "\u0302\u0309": "å",
    "\u0302\u0303": "ã",
    "\u0302\u0323": "ä",
    "\u0306": "ê",
    "\u0306\u0300": "è",
    "\u0306\u0301": "é",
    "\u0306\u0309": "ú",
    "\u0306\u0303": "ü",
    "\u0306\u0323": "ë",
}
VNI_LETTERS = {"đ": "ñ", "ì": "ì", "í": "í", "ỉ": "æ", "ĩ": "ó", "ị": "ò", "ỵ": "î", "ơ": "ô", "ư": "ö"}
QUALITIES = "\u0302\u0306"
HORN = "\u031b"


def vni_letter(letter):
    if letter.lower() in VNI_LETTERS:
        code = VNI_LETTERS[letter.lower()]
        return code.upper() if letter.isupper() else code
    base, *marks = unicodedata.normalize("NFD", letter)
    if not marks:
        return letter
    if HORN in marks:
        marks.remove(HORN)
        base = vni_letter(unicodedata.normalize("NFC", base + HORN))
    mark = VNI_MARKS["".join(sorted(marks, key=lambda one: one not in QUALITIES))]
    return base + (mark.upper() if letter.isupper() else mark)


def in_vni(text):
    return "".join(map(vni_letter, text))


def windows1258_letter(letter):
    for spelt in (letter, *tone_apart(letter)):
        try:
            return spelt.encode("cp1258").decode("cp1252")
        except UnicodeEncodeError:
            continue
    raise AssertionError(letter)


def tone_apart(letter):
    spread = unicodedata.normalize("NFD", letter)
    for tone in "\u0300\u0301\u0309\u0303\u0323":
        if tone in spread:
            yield unicodedata.normalize("NFC", spread.replace(tone, "")) + tone


def in_windows1258(text):
    return "".join(map(windows1258_letter, text))


ENCODERS = {"vni": in_vni, "windows1258": in_windows1258}
UNITS = (
    pl.read_csv(ROOT / "mappings/codes/admin_unit_successors.csv", infer_schema=False)
    .select(pl.concat_list("old_ward", "new_ward", "old_district").explode().drop_nulls().unique().sort())
    .to_series()
    .to_list()
)
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
CASES = st.sampled_from([str, str.upper, str.lower])


def left_alone(encoding, text):
    """What stands where a text is not decoded: Ð means Đ in Unicode too."""
    return text.replace("Ð", "Đ").replace("ð", "đ") if encoding == "windows1258" else text


def apply(written, *values):
    _, change, _ = named(written)
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
    return frame.select(change(pl.col("value"))).to_series().to_list()


def sound(*values):
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
    return frame.select(can_be_vietnamese(pl.col("value"))).to_series().to_list()


@pytest.mark.parametrize("encoding", ENCODERS)
def test_every_accented_letter_comes_back_from_a_source_that_writes_nothing_else(encoding):
    letters = [*ACCENTED, *ACCENTED.upper()]
    assert len(set(letters)) == 134
    encoded = [ENCODERS[encoding](letter) for letter in letters]
    assert apply({encoding: "always"}, *encoded) == letters


@pytest.mark.parametrize("encoding", ENCODERS)
@given(text=st.text(st.sampled_from([*ACCENTED, *ACCENTED.upper(), *"bnA gh'-/,.19"])))
def test_any_text_comes_back_where_its_letters_have_one_reading(encoding, text):
    # In VNI a plain vowel before a letter that is also a mark, as in a + ê, has two readings.
    spaced = " ".join(text) if encoding == "vni" else text
    encoded = ENCODERS[encoding](spaced)
    assert apply({encoding: "always"}, encoded) == [spaced]


@pytest.mark.parametrize("encoding", ENCODERS)
@given(name=NAMES, case=CASES)
def test_a_name_comes_back_or_looks_like_another_vietnamese_name_and_is_left_alone(encoding, name, case):
    encoded = ENCODERS[encoding](case(name))
    (read,) = apply(encoding, encoded)
    fits, other_fits = sound(case(name), encoded)
    assert read == (case(name) if fits and not other_fits else left_alone(encoding, encoded))


@pytest.mark.parametrize("encoding", ENCODERS)
def test_most_words_of_names_come_back_by_themselves(encoding):
    accented = [word for word in WORDS if not word.isascii()]
    read = apply(encoding, *(ENCODERS[encoding](word) for word in accented))
    assert sum(map(str.__eq__, read, accented)) > 0.6 * len(accented)


@pytest.mark.parametrize("encoding", [*ENCODERS, "legacy_encoding"])
@given(name=NAMES, case=CASES)
def test_a_name_in_unicode_is_left_alone(encoding, name, case):
    assert apply(encoding, case(name)) == [case(name)]


def test_words_that_are_no_syllables_are_few_and_of_other_languages():
    odd = {word for word, fits in zip(WORDS, sound(*WORDS), strict=True) if not fits}
    assert {"Byă", "Hyơk", "Kpă", "Mlô", "Êban"} < odd
    assert len(odd) < 20
    assert all(sound("Quỳnh", "Thuỷ", "Giếng", "Nghiêm", "Khuỷu", "Ươm", "Yến", "Quốc", "Đắk Lắk", "Choòng"))
    assert not any(sound("Thòt", "Hòá", "Krông", "Nguyeãn"))


@pytest.mark.parametrize("encoding", [*ENCODERS, "legacy_encoding"])
def test_the_name_of_no_administrative_unit_is_touched(encoding):
    assert apply(encoding, *UNITS) == UNITS


@pytest.mark.parametrize("encoding", ENCODERS)
def test_names_of_units_come_back_where_they_are_vietnamese_and_cannot_be_read_as_they_stand(encoding):
    encoded = [ENCODERS[encoding](unit) for unit in UNITS]
    sure = [fits and not other for fits, other in zip(sound(*UNITS), sound(*encoded), strict=True)]
    assert sum(sure) > 0.7 * len(UNITS)
    expected = [
        unit if fits else left_alone(encoding, code)
        for unit, code, fits in zip(UNITS, encoded, sure, strict=True)
    ]
    assert apply(encoding, *encoded) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Müller",
        "Peña",
        "Noël",
        "Raël",
        "Citroën",
        "José Simões",
        "Björn",
        "João",
        "Y Êban",
        "Buôn Krông",
        "H'Mlô",
    ],
)
@pytest.mark.parametrize("encoding", [*ENCODERS, "legacy_encoding"])
def test_a_name_that_is_not_vietnamese_is_left_alone(encoding, name):
    assert apply(encoding, name) == [name]


def test_a_text_with_its_tone_marks_apart_is_composed():
    assert apply("windows1258", unicodedata.normalize("NFD", "Nguyễn Thị Ánh")) == ["Nguyễn Thị Ánh"]


@given(name=NAMES)
def test_a_mixed_source_gives_the_name_or_what_it_wrote(name):
    written = {"tcvn3": tcvn3_capitals(name), "vni": in_vni(name), "windows1258": in_windows1258(name)}
    read = dict(zip(written, apply("legacy_encoding", *written.values()), strict=True))
    for encoding, text in written.items():
        assert read[encoding] in (text, name.upper() if encoding == "tcvn3" else name)


def test_the_table_of_tcvn3_agrees_with_the_world_s():
    assert {code: letter.upper() for letter, code in TCVN3.items()}.items() <= TCVN3_TO_CAPITAL.items()


@pytest.mark.parametrize("encoding", ENCODERS)
def test_another_certainty_is_refused_with_what_to_write(encoding):
    with pytest.raises(ValueError, match="write always, or nothing for when_sure"):
        named({encoding: "sometimes"})
