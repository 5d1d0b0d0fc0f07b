"""Transforms of Vietnamese letters: Unicode form, spaces, capitals and accents."""

from __future__ import annotations

import unicodedata
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


@transform
def nfc(value: pl.Expr) -> pl.Expr:
    r"""Compose to Unicode NFC, and write Đ for its look-alike U+00D0 (eth).

    Examples:
        "Nguye\u0302\u0303n" -> "Nguyễn"
        "\u00d0inh" -> "Đinh"
    """
    return value.map_batches(composed, return_dtype=pl.String)


def composed(values: pl.Series) -> pl.Series:
    """Return what `nfc` makes of a column."""
    # Composing costs five times as much as seeing that nothing in the batch needs it.
    if not values.str.contains(_MAY_NEED_COMPOSING).any():
        return values
    return values.str.normalize("NFC").str.replace_many(["\u00d0", "\u00f0"], ["Đ", "đ"])


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
def without_accents(value: pl.Expr) -> pl.Expr:
    """Write Vietnamese letters without accents, đ as d; other letters stay.

    For values that are looked up, as in a code list of words. Names need it not: the database compares them
    without accents.

    Examples:
        "Đặng Thị Hòa" -> "Dang Thi Hoa"
        "Müller" -> "Müller"
    """
    return nfc(value).str.replace_many(list(_PLAIN), list(_PLAIN.values()))
