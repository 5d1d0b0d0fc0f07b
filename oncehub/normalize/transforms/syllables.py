"""Whether a text can be Vietnamese: what initials, rimes and tones a syllable may have."""

from __future__ import annotations

import unicodedata
from typing import Final

import polars as pl

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


def can_be_vietnamese(text: pl.Expr) -> pl.Expr:
    """Tell, as a boolean, whether each word that has a letter beyond ASCII is a possible syllable; takes NFC.

    Where in a syllable its tone mark stands does not matter, and U+00D0 (eth) counts as Đ.
    """
    words = text.str.replace_all(_PLAIN_WORD, "").str.to_lowercase().str.replace_all("ð", "đ", literal=True)
    bare = words.str.replace_many(list(_BARE), list(_BARE.values()))
    return (
        ~words.str.contains(_TWO_TONES) & ~words.str.contains(_FALLING_STOP) & bare.str.contains(_SYLLABLES)
    )
