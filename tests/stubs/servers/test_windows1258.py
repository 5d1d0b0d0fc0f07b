"""Vietnamese text in Windows-1258."""

import unicodedata

import pytest

from stubs.servers.protocol.windows1258 import VIETNAMESE_LETTERS, encode_windows_1258


def test_there_are_134_letters_beyond_ascii():
    assert len(VIETNAMESE_LETTERS) == len(set(VIETNAMESE_LETTERS)) == 134
    assert not any(letter.isascii() for letter in VIETNAMESE_LETTERS)


@pytest.mark.parametrize("letter", VIETNAMESE_LETTERS)
def test_every_letter_comes_back(letter):
    assert unicodedata.normalize("NFC", encode_windows_1258(letter).decode("cp1258")) == letter


def test_a_tone_is_a_mark_after_its_letter():
    assert encode_windows_1258("Ế") == "Ê\u0301".encode("cp1258")
    assert encode_windows_1258("ậ") == "â\u0323".encode("cp1258")
    assert encode_windows_1258("À") == b"A\xcc"
    assert encode_windows_1258("Đỗ") == b"\xd0\xf4\xde"


def test_the_normal_form_of_the_input_does_not_matter():
    name = "Nguyễn Thị Ánh Tuyết"
    assert encode_windows_1258(unicodedata.normalize("NFD", name)) == encode_windows_1258(name)


def test_a_foreign_character_is_an_error():
    with pytest.raises(UnicodeEncodeError):
        encode_windows_1258("日")
