"""Transforms of Vietnamese letters: Unicode form, spaces, case, and the TCVN3 encoding of old systems."""

from __future__ import annotations

from typing import Final

import polars as pl

# TCVN 5712:1993 (ABC fonts): the accented letters, and the Latin-1 characters that their bytes look like.
_ACCENTED: Final = "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ"
_CODES: Final = "µ¶·¸¹¨»¼½¾Æ©ÇÈÉÊË®ÌÎÏÐÑªÒÓÔÕÖ×ØÜÝÞßáâãä«åæçèé¬êëìíîïñòóô\u00adõö÷øùúûüýþ"
_CAPITALS: Final = {"¡": "Ă", "¢": "Â", "£": "Ê", "¤": "Ô", "¥": "Ơ", "¦": "Ư", "§": "Đ"}
TCVN3_TO_CAPITAL: Final = {**dict(zip(_CODES, _ACCENTED.upper(), strict=True)), **_CAPITALS}
"""TCVN3 character -> capital letter, NFC: 67 accented letters, and 7 capitals with a code of their own."""

_UNICODE_LETTERS: Final = frozenset(_ACCENTED + _ACCENTED.upper())
# Ð (é) is left out: in Unicode text it stands for Đ.
_NEVER_UNICODE: Final = "".join(c for c in TCVN3_TO_CAPITAL if c not in _UNICODE_LETTERS and c != "Ð")
_SMALL_LETTERS: Final = "".join(c for c in TCVN3_TO_CAPITAL if c in _UNICODE_LETTERS and c.islower())

# A letter outside the table, such as Á or Ứ, proves Unicode; a no-break space proves nothing.
_BEYOND_TCVN3: Final = f"[^\\x00-\\x7F\u00a0{''.join(TCVN3_TO_CAPITAL)}]"
_BETRAYS: Final = f"[{_NEVER_UNICODE}]"
_BETRAYS_IN_CAPITALS: Final = f"^[^a-z]*[{_SMALL_LETTERS}][^a-z]*$"
# No Vietnamese syllable has these: iô and yô (but giô, gió), ý between a letter other than u and another,
# Đ inside.
_NO_SYLLABLE: Final = r"Y[ÔÕÒÓ]|(?:^|[^G])I[ÔÕÒÓ]|[A-TV-ZÀ-Ý]Ý[A-ZÀ-Ý]|[A-ZÀ-Ý]Ð"
_BETRAYED: Final = f"{_BETRAYS}|{_BETRAYS_IN_CAPITALS}|{_NO_SYLLABLE}"

# Other than letters that are composed already: Latin below U+0300 and the Vietnamese block.
_MAY_NEED_COMPOSING: Final = r"[^\x00-\u02ff\u1ea0-\u1ef9]|[\u00d0\u00f0]"


def nfc(value: pl.Expr) -> pl.Expr:
    r"""Compose to Unicode NFC, and write Đ for its look-alike U+00D0 (eth).

    Examples:
        "Nguye\u0302\u0303n" -> "Nguyễn"
        "\u00d0inh" -> "Đinh"
    """
    return value.map_batches(_composed, return_dtype=pl.String)


def _composed(values: pl.Series) -> pl.Series:
    # Composing costs five times as much as seeing that nothing in the batch needs it.
    if not values.str.contains(_MAY_NEED_COMPOSING).any():
        return values
    return values.str.normalize("NFC").str.replace_many(["\u00d0", "\u00f0"], ["Đ", "đ"])


def squeeze(value: pl.Expr) -> pl.Expr:
    r"""Trim, and leave single spaces between words.

    Examples:
        "  Trần   Văn\u00a0An " -> "Trần Văn An"
    """
    # Only what is no single space already: most values need no change.
    return value.str.strip_chars().str.replace_all(r"\s{2,}|[^\S ]", " ")


def upper(value: pl.Expr) -> pl.Expr:
    """Write in capitals.

    Examples:
        "Nữ" -> "NỮ"
    """
    return value.str.to_uppercase()


def lower(value: pl.Expr) -> pl.Expr:
    """Write in small letters.

    Examples:
        "NỮ" -> "nữ"
    """
    return value.str.to_lowercase()


def tcvn3(value: pl.Expr) -> pl.Expr:
    """Read capitals that may stand in TCVN3 (ABC fonts), whose accented letters look like other characters.

    A whole value is decoded, and put in capitals, when it holds a character or a syllable that
    Vietnamese capitals in Unicode cannot hold; any other value stays as it is. Source: TCVN 5712:1993.

    Examples:
        "NGUYÔN THÞ ¸NH" -> "NGUYỄN THỊ ÁNH"
        "NGUYỄN THỊ ÁNH" -> "NGUYỄN THỊ ÁNH"
        "TÔ GIÓNG" -> "TÔ GIÓNG"
        "L£ CHÝNH" -> "LÊ CHÍNH"
    """
    decoded = value.str.replace_many(list(TCVN3_TO_CAPITAL), list(TCVN3_TO_CAPITAL.values()))
    return (
        pl.when(value.str.contains(_BETRAYED) & ~value.str.contains(_BEYOND_TCVN3))
        .then(decoded.str.to_uppercase())
        .otherwise(value)
    )
