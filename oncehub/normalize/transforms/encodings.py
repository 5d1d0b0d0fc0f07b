"""Transforms of texts decoded with the wrong encoding: TCVN3, VNI, Windows-1258."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import polars as pl

from oncehub.normalize.transforms.letters import composed
from oncehub.normalize.transforms.transform import Change, transform

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

# VNI for Windows: a letter and the mark that its font draws over it; i, ơ, ư, đ, ỵ have their own codes.
_VNI_MARKS: Final = {
    "a": ("øùûõïâàáåãäêèéúüë", "àáảãạâầấẩẫậăằắẳẵặ"),
    "e": ("øùûõïâàáåãä", "èéẻẽẹêềếểễệ"),
    "o": ("øùûõïâàáåãä", "òóỏõọôồốổỗộ"),
    "u": ("øùûõï", "ùúủũụ"),
    "y": ("øùûõ", "ỳýỷỹ"),
    "ô": ("øùûõï", "ờớởỡợ"),
    "ö": ("øùûõï", "ừứửữự"),
}
_VNI_SINGLE: Final = dict(zip("ôöñìíæóòî", "ơưđìíỉĩịỵ", strict=True))


def _vni_codes() -> Iterable[tuple[str, str]]:
    """What stands for each accented letter, pairs before single characters."""
    for base, (marks, letters) in _VNI_MARKS.items():
        for mark, letter in zip(marks, letters, strict=True):
            yield base + mark, letter
            yield base.upper() + mark.upper(), letter.upper()
            yield base.upper() + mark, letter.upper()
    for code, letter in _VNI_SINGLE.items():
        yield code, letter
        yield code.upper(), letter.upper()


def _windows1258_codes() -> Iterable[tuple[str, str]]:
    """What Windows-1252 shows for each character; tone marks follow their letter."""
    for byte in range(0xC0, 0x100):
        code = bytes([byte])
        yield code.decode("cp1252"), code.decode("cp1258")


@dataclass(frozen=True)
class _Encoding:
    """An encoding as it looks when taken for Windows-1252.

    Attributes:
        codes: what it shows -> what was meant; of codes that begin alike the longer one first.
    """

    codes: dict[str, str]

    @property
    def pattern(self) -> str:
        """What a whole text of it looks like."""
        return rf"^(?:[\x00-\x7F]|{'|'.join(self.codes)})*$"

    def decode(self, text: pl.Expr) -> pl.Expr:
        return text.str.replace_many(
            list(self.codes), list(self.codes.values()), leftmost=True
        ).str.normalize("NFC")

    def read(self, text: pl.Expr) -> pl.Expr:
        """What was meant, where the text is in this encoding or is plain ASCII; null elsewhere."""
        return pl.when(text.str.contains(self.pattern)).then(self.decode(text))


_VNI: Final = _Encoding(dict(_vni_codes()))
_WINDOWS1258: Final = _Encoding(dict(_windows1258_codes()))

# Syllables of Vietnamese: their initials, rimes and tones.
_VOWELS: Final = "aăâeêioôơuưy"
_TONES: Final = "\u0300\u0309\u0303\u0301\u0323"
_BARE: Final = {unicodedata.normalize("NFC", vowel + tone): vowel for tone in _TONES for vowel in _VOWELS}
"""Vowel with a tone mark -> the vowel without it, small letters, NFC."""

_INITIALS: Final = "b c ch d đ g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x"
_RIMES: Final = (
    "a ac ach ai am an ang anh ao ap at au ay ăc ăk ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây "
    "e ec em en eng eo ep et ê êch êm ên êng ênh êp êt êu i ia ich im in inh ip it iu "
    "iêc iêm iên iêng iêp iêt iêu yêm yên yêng yêt yêu o oc oi om on ong ooc oong op ot "
    "oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oe oen oeo oet "
    "ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt u ua uc ui um un ung up ut uân uâng uât uây "
    "uê uêch uên uênh uơ uôc uôi uôm uôn uông uôt uy uya uych uynh uyt uyu uyên uyêt "
    "ư ưa ưc ưi ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu y ych ynh yt"
)
_SYLLABLE: Final = f"(?:{_INITIALS.replace(' ', '|')})?(?:{_RIMES.replace(' ', '|')})"
_SYLLABLES: Final = rf"^\W*(?:{_SYLLABLE}\b\W*)*$"

_PLAIN_WORD: Final = r"\b[A-Za-z0-9_]+\b"
_TONED: Final = f"[{''.join(_BARE)}]"
_TWO_TONES: Final = rf"{_TONED}\w*{_TONED}"
# A syllable that ends in a stop has the tone sắc or nặng; one without any has lost its mark, which is common.
_FALLING: Final = "".join(
    letter for letter in _BARE if unicodedata.normalize("NFD", letter)[-1] in _TONES[:3]
)
_FALLING_STOP: Final = rf"[{_FALLING}]\w?(?:ch|c|p|t)\b"

_ALWAYS: Final = "always"
_WHEN_SURE: Final = "when_sure"
# All of Latin-1 but not of ASCII: nothing else can be text of these encodings.
_SUSPECT: Final = r"^[\x00-\x{FF}]*[\x{80}-\x{FF}][\x00-\x{FF}]*$"


@transform
def tcvn3(value: pl.Expr) -> pl.Expr:
    """Read capitals that may stand in TCVN3 (ABC fonts), whose accented letters look like other characters.

    For a source that writes capitals only. A whole value is decoded, and put in capitals, when it holds a
    character or a syllable that Vietnamese capitals in Unicode cannot hold; any other value stays as it is.
    Source: TCVN 5712:1993.

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


@transform
def vni(value: pl.Expr, certainty: str = _WHEN_SURE) -> pl.Expr:
    """Read text in VNI for Windows, which writes a letter and its mark as two characters.

    A value is decoded when its words cannot be Vietnamese as they stand and can be once decoded; any
    other stays as it is: `Hoàng` may be `Hồng` in VNI. With `always`, for a source that writes nothing else,
    every value is decoded, and one that cannot be VNI fails.

    Examples:
        "Nguyeãn Thò AÙnh" -> "Nguyễn Thị Ánh"
        "Nguyễn Thị Ánh" -> "Nguyễn Thị Ánh"
        "Hoàng" -> "Hoàng"
        {"vni": "always"}: "Hoàng" -> "Hồng"
        {"vni": "always"}: "Nguyễn" -> failure
    """
    return _repaired(value, _VNI, certainty)


@transform
def windows1258(value: pl.Expr, certainty: str = _WHEN_SURE) -> pl.Expr:
    """Read text in Windows-1258 that was taken for Windows-1252 or Latin-1; compose marks that stand apart.

    A value is decoded when its words cannot be Vietnamese as they stand and can be once decoded; any
    other is only composed: `Vãn` may be `Văn` in Windows-1258. With `always`, for a source that writes
    nothing else, every value is decoded, and one that cannot be Windows-1258 fails.

    Examples:
        "NguyêÞn Thiò Aình" -> "Nguyễn Thị Ánh"
        "Nguyễn Thị Ánh" -> "Nguyễn Thị Ánh"
        "Vãn" -> "Vãn"
        {"windows1258": "always"}: "Vãn" -> "Văn"
    """
    return _repaired(value, _WINDOWS1258, certainty).map_batches(composed, return_dtype=pl.String)


@transform
def legacy_encoding(value: pl.Expr) -> pl.Expr:
    """Read text in TCVN3, VNI or Windows-1258, where exactly one of them makes Vietnamese of it.

    Any other value stays as it is. For sources that mix encodings; see `tcvn3`, `vni` and `windows1258`.

    Examples:
        "NGUYÔN THÞ ¸NH" -> "NGUYỄN THỊ ÁNH"
        "Nguyeãn Thò AÙnh" -> "Nguyễn Thị Ánh"
        "NguyêÞn Thiò Aình" -> "Nguyễn Thị Ánh"
        "Müller" -> "Müller"
    """
    return value.map_batches(partial(_where_odd, repair=_in_the_only_way), return_dtype=pl.String)


def _repaired(value: pl.Expr, encoding: _Encoding, certainty: str) -> pl.Expr:
    if certainty == _ALWAYS:
        return encoding.read(value)
    if certainty != _WHEN_SURE:
        raise ValueError(f"{certainty!r} is no certainty; write {_ALWAYS}, or nothing for {_WHEN_SURE}")
    repair = partial(_when_sure, encoding=encoding)
    return value.map_batches(partial(_where_odd, repair=repair), return_dtype=pl.String)


def _where_odd(values: pl.Series, repair: Change) -> pl.Series:
    # Looking at syllables costs twenty times as much as seeing that a value needs no look.
    suspect = values.to_frame("text").with_row_index("place").filter(pl.col("text").str.contains(_SUSPECT))
    odd = suspect.filter(~can_be_vietnamese(pl.col("text")))
    if odd.is_empty():
        return values
    return values.clone().scatter(odd["place"], odd.select(repair(pl.col("text"))).to_series())


def _when_sure(text: pl.Expr, encoding: _Encoding) -> pl.Expr:
    meant = encoding.read(text)
    return pl.when(can_be_vietnamese(meant)).then(meant).otherwise(text)


def _in_the_only_way(text: pl.Expr) -> pl.Expr:
    readings = [tcvn3(text), _VNI.read(text), _WINDOWS1258.read(text)]
    possible = pl.concat_list(pl.when(can_be_vietnamese(reading)).then(reading) for reading in readings)
    distinct = possible.list.drop_nulls().list.unique()
    return pl.when(distinct.list.len() == 1).then(distinct.list.first()).otherwise(text)


def can_be_vietnamese(text: pl.Expr) -> pl.Expr:
    """Tell, as a boolean, whether each word that has a letter beyond ASCII is a possible syllable; takes NFC.

    Where in a syllable its tone mark stands does not matter, and U+00D0 (eth) counts as Đ.
    """
    words = text.str.replace_all(_PLAIN_WORD, "").str.to_lowercase().str.replace_all("ð", "đ", literal=True)
    bare = words.str.replace_many(list(_BARE), list(_BARE.values()))
    return (
        ~words.str.contains(_TWO_TONES) & ~words.str.contains(_FALLING_STOP) & bare.str.contains(_SYLLABLES)
    )
