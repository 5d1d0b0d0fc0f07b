import unicodedata

import pytest

from oncehub.store.connection import Connection


def folded(database: Connection, text: str, function: str = "fold") -> str:
    with database.cursor() as cursor:
        cursor.callproc(f"text.{function}", (text,))
        row = cursor.fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nguyễn Thị Hòa", "NGUYEN  THI HOÀ"),
        ("Đặng Thuỳ", "Ðặng Thủy".replace("ủy", "ùy")),
        ("Lê Quý Đôn", unicodedata.normalize("NFD", "lê quý đôn")),
        ("H'Hen Niê", "H’HEN NIÊ"),
        (" 12  Hàng Bài ", "12 hàng bài"),
    ],
)
def test_what_differs_in_form_only_folds_alike(database: Connection, one: str, other: str) -> None:
    assert folded(database, one) == folded(database, other)


def test_names_fold_without_word_breaks_and_other_names_stay_apart(database: Connection) -> None:
    assert (
        folded(database, "Nguyễn Văn An", "fold_name")
        == folded(database, "NGUYENVAN AN", "fold_name")
        == "nguyenvanan"
    )
    assert folded(database, "Nguyễn Văn An", "fold_name") != folded(database, "Nguyễn Văn Am", "fold_name")


def test_every_vietnamese_letter_folds_to_its_base(database: Connection) -> None:
    bases = {"a": "aăâ", "e": "eê", "i": "i", "o": "oôơ", "u": "uư", "y": "y"}
    for base, letters in bases.items():
        for letter in letters:
            for tone in ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"):
                whole = unicodedata.normalize("NFC", letter + tone)
                assert folded(database, whole) == folded(database, whole.upper()) == base


def test_a_letter_of_another_language_keeps_its_base(database: Connection) -> None:
    assert folded(database, "Muñoz Čapek") == "munoz capek"
    assert folded(database, "Muñoz Čapek", "fold_name") == "munozcapek"
    assert folded(database, "Straße 王") == "stra e"
