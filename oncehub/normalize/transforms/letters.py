"""Transforms of Vietnamese letters: Unicode form, spaces, case, accents and where a tone mark stands."""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import Final

import polars as pl

from oncehub.normalize.transforms.transform import transform

# Other than letters that are composed already: Latin below U+0300 and the Vietnamese block.
_MAY_NEED_COMPOSING: Final = r"[^\x00-\u02ff\u1ea0-\u1ef9]|[\u00d0\u00f0]"

_TONES: Final = "\u0300\u0301\u0303\u0309\u0323"
_VOWELS: Final = "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
_ACCENTED: Final = [unicodedata.normalize("NFC", vowel + tone) for vowel in _VOWELS for tone in ("", *_TONES)]
_PLAIN: Final = {
    **{letter: unicodedata.normalize("NFD", letter)[0] for letter in _ACCENTED if letter > "\x7f"},
    **dict(zip("đĐɖƉ", "dDdD", strict=True)),
}

# Of oa, oe and uy at a word's end either letter may bear the tone mark; of quý only the last may.
_ROUNDED: Final = ("oa", "Oa", "OA", "oe", "Oe", "OE", "uy", "Uy", "UY")
_TO_LAST: Final = {
    unicodedata.normalize("NFC", pair[0] + tone + pair[1]): unicodedata.normalize("NFC", pair + tone)
    for pair in _ROUNDED
    for tone in _TONES
}
# Decomposed.
_TO_FIRST: Final = (rf"(?i)(o)([ae])([{_TONES}])\b", rf"(?i)(\b|[^q])(u)(y)([{_TONES}])\b")
_MAY_MOVE: Final = r"(?i)[oòóỏõọ][aàáảãạeèéẻẽẹ]|[uùúủũụ][yỳýỷỹỵ]"


@transform
def nfc(value: pl.Expr) -> pl.Expr:
    r"""Compose to Unicode NFC, and write Đ for its look-alike U+00D0 (eth).

    Examples:
        "Nguye\u0302\u0303n" -> "Nguyễn"
        "\u00d0inh" -> "Đinh"
    """
    return value.map_batches(composed, return_dtype=pl.String)


def composed(values: pl.Series) -> pl.Series:
    """What `nfc` makes of a column."""
    # Composing costs five times as much as seeing that nothing in the batch needs it.
    if not values.str.contains(_MAY_NEED_COMPOSING).any():
        return values
    return values.str.normalize("NFC").str.replace_many(["\u00d0", "\u00f0"], ["Đ", "đ"])


@transform
def trim(value: pl.Expr) -> pl.Expr:
    r"""Leave out spaces before and after.

    Examples:
        " \u00a0Trần  An\t" -> "Trần  An"
    """
    return value.str.strip_chars()


@transform
def squeeze(value: pl.Expr) -> pl.Expr:
    r"""Trim, and leave single spaces between words.

    Examples:
        "  Trần   Văn\u00a0An " -> "Trần Văn An"
    """
    # Only what is no single space already: most values need no change.
    return value.str.strip_chars().str.replace_all(r"\s{2,}|[^\S ]", " ")


@transform
def upper(value: pl.Expr) -> pl.Expr:
    """Write in capitals.

    Examples:
        "Nữ" -> "NỮ"
    """
    return value.str.to_uppercase()


@transform
def lower(value: pl.Expr) -> pl.Expr:
    """Write in small letters.

    Examples:
        "NỮ" -> "nữ"
    """
    return value.str.to_lowercase()


@transform
def name_case(value: pl.Expr) -> pl.Expr:
    """Write a name that is all in capitals, or all in small letters, with a capital for each word.

    A name in mixed case stays as it was declared. A letter after an apostrophe or a hyphen is a capital too.

    Examples:
        "NGUYỄN THỊ ÁNH" -> "Nguyễn Thị Ánh"
        "nguyễn thị ánh" -> "Nguyễn Thị Ánh"
        "H'HEN NIÊ" -> "H'Hen Niê"
        "Ea H'leo" -> "Ea H'leo"
    """
    name = nfc(value)
    one_case = (name == name.str.to_uppercase()) | (name == name.str.to_lowercase())
    return pl.when(one_case).then(name.str.to_titlecase()).otherwise(name)


@transform
def tone_placement(value: pl.Expr, style: str = "new") -> pl.Expr:
    """Put the tone marks of oa, oe and uy in one place: `new` as in hoà, thuỷ, `old` as in hòa, thủy.

    Composes too. The database's folded keys need no such change, as they hold no tone marks.
    Source: Quyết định 1989/QĐ-BGDĐT Điều 8 (`new`).

    Examples:
        "Trần Hòa Thủy" -> "Trần Hoà Thuỷ"
        "Hoàn Quý" -> "Hoàn Quý"
        {"tone_placement": "old"}: "Trần Hoà Thuỷ" -> "Trần Hòa Thủy"
        {"tone_placement": "old"}: "Hoàn Quý" -> "Hoàn Quý"
    """
    if style not in ("new", "old"):
        raise ValueError(f"{style!r} is no style; write new, as in hoà, or old, as in hòa")
    return nfc(value).map_batches(partial(_placed, old=style == "old"), return_dtype=pl.String)


def _placed(values: pl.Series, *, old: bool) -> pl.Series:
    if not values.str.contains(_MAY_MOVE).any():
        return values
    last = values.str.replace_many(list(_TO_LAST), list(_TO_LAST.values()))
    if not old:
        return last
    rounded, narrow = _TO_FIRST
    apart = last.str.normalize("NFD").str.replace_all(rounded, "${1}${3}${2}")
    return apart.str.replace_all(narrow, "${1}${2}${4}${3}").str.normalize("NFC")


@transform
def without_accents(value: pl.Expr) -> pl.Expr:
    """Write Vietnamese letters without accents, đ as d; other letters stay.

    For values to be looked up, as in a code list of words. Keys that names are compared by are made in
    the database alone, and are the same with accents and without.

    Examples:
        "Đặng Thị Hòa" -> "Dang Thi Hoa"
        "Müller" -> "Müller"
    """
    return nfc(value).str.replace_many(list(_PLAIN), list(_PLAIN.values()))
