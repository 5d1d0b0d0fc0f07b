"""Transforms of Vietnamese letters: Unicode form, spaces, case, and the TCVN3 encoding of old systems."""

from __future__ import annotations

from typing import Final

import polars as pl

# TCVN 5712:1993 (ABC fonts) as the Latin-1 characters that its bytes look like.
_TONED: Final = dict(
    pair
    for pair in (
        "àµ ả¶ ã· á¸ ạ¹ ă¨ ằ» ẳ¼ ẵ½ ắ¾ ặÆ â© ầÇ ẩÈ ẫÉ ấÊ ậË đ® èÌ ẻÎ ẽÏ éÐ ẹÑ êª ềÒ ểÓ ễÔ ếÕ ệÖ ì× ỉØ ĩÜ íÝ ịÞ òß ỏá õâ "
        "óã ọä ô« ồå ổæ ỗç ốè ộé ơ¬ ờê ởë ỡì ớí ợî ùï ủñ ũò úó ụô ư\u00ad ừõ ửö ữ÷ ứø ựù ỳú ỷû ỹü ýý ỵþ"
    ).split()
)
_CAPITALS: Final = dict(pair for pair in "Ă¡ Â¢ Ê£ Ô¤ Ơ¥ Ư¦ Đ§".split())
TCVN3_TO_CAPITAL: Final = {code: letter.upper() for letter, code in (*_TONED.items(), *_CAPITALS.items())}
"""TCVN3 character -> capital letter, NFC: the 67 accented letters and the 7 capitals that have a code of their own."""

_UNICODE_LETTERS: Final = frozenset("".join(_TONED) + "".join(_TONED).upper())
# Ð (é) is left out: in Unicode text it stands for Đ.
_NEVER_UNICODE: Final = "".join(c for c in TCVN3_TO_CAPITAL if c not in _UNICODE_LETTERS and c != "Ð")
_SMALL_LETTERS: Final = "".join(c for c in TCVN3_TO_CAPITAL if c in _UNICODE_LETTERS and c.islower())

# A letter outside the table, such as Á or Ứ, proves Unicode; a no-break space proves nothing.
_BEYOND_TCVN3: Final = f"[^\\x00-\\x7F\u00a0{''.join(TCVN3_TO_CAPITAL)}]"
_BETRAYS: Final = f"[{_NEVER_UNICODE}]"
_BETRAYS_IN_CAPITALS: Final = f"^[^a-z]*[{_SMALL_LETTERS}][^a-z]*$"
# No Vietnamese syllable has these: iô yô (but giô, giò, gió), y between a letter other than u and another, Đ inside.
_NO_SYLLABLE: Final = r"Y[ÔÕÒÓ]|(?:^|[^G])I[ÔÕÒÓ]|[A-TV-ZÀ-Ý]Ý[A-ZÀ-Ý]|[A-ZÀ-Ý]Ð"


def nfc(value: pl.Expr) -> pl.Expr:
    """Compose to Unicode NFC, and write Đ for its look-alike U+00D0 (eth).

    Examples:
        "Nguye\\u0302\\u0303n" -> "Nguyễn"
        "\\u00d0inh" -> "Đinh"
    """
    composed = value.str.normalize("NFC")
    return composed.str.replace_many(["\u00d0", "\u00f0"], ["Đ", "đ"])


def squeeze(value: pl.Expr) -> pl.Expr:
    """Trim, and leave single spaces between words.

    Examples:
        "  Trần   Văn\\u00a0An " -> "Trần Văn An"
    """
    return value.str.strip_chars().str.replace_all(r"\s+", " ")


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
    betrayed = (
        value.str.contains(_BETRAYS)
        | value.str.contains(_BETRAYS_IN_CAPITALS)
        | value.str.contains(_NO_SYLLABLE)
    )
    decoded = value.str.replace_many(list(TCVN3_TO_CAPITAL), list(TCVN3_TO_CAPITAL.values()))
    return (
        pl.when(betrayed & ~value.str.contains(_BEYOND_TCVN3))
        .then(decoded.str.to_uppercase())
        .otherwise(value)
    )
