"""How Vietnamese words change on their way through systems: folds, tone placement, TCVN3, slips."""

from __future__ import annotations

import re
import unicodedata
from random import Random

_HOI_NGA = {0x0309: 0x0303, 0x0303: 0x0309}
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_MOVABLE = re.compile(rf"(?<![qQ])([oO])([{_TONES}])([aAeE])(?!\w)|(?<![qQ])([uU])([{_TONES}])([yY])(?!\w)")
_MOVED = re.compile(rf"(?<![qQ])([oO])([aAeE])([{_TONES}])(?!\w)|(?<![qQ])([uU])([yY])([{_TONES}])(?!\w)")

# TCVN 5712:1993 (ABC fonts): lower-case accented letters as the Latin-1 characters of a wrong decoding.
_TCVN3_LETTERS = (
    "àµ ả¶ ã· á¸ ạ¹ ă¨ ằ» ẳ¼ ẵ½ ắ¾ ặÆ â© ầÇ ẩÈ ẫÉ ấÊ ậË đ® èÌ ẻÎ ẽÏ éÐ ẹÑ êª ềÒ ểÓ ễÔ ếÕ ệÖ ì× ỉØ ĩÜ íÝ ịÞ "
    "òß ỏá õâ óã ọä ô« ồå ổæ ỗç ốè ộé ơ¬ ờê ởë ỡì ớí ợî ùï ủñ ũò úó ụô ư\u00ad ừõ ửö ữ÷ ứø ựù ỳú ỷû ỹü ýý ỵþ"
)
TCVN3 = {pair[0]: pair[1] for pair in _TCVN3_LETTERS.split()}
_VIETNAMESE_CAPITALS = {letter.upper() for letter in TCVN3}


def fold(word: str) -> str:
    """Lower case without accents; đ becomes d."""
    return without_accents(word.casefold())


def without_accents(word: str) -> str:
    """The letters alone; case stays."""
    spread = unicodedata.normalize("NFD", word)
    letters = "".join(c for c in spread if unicodedata.category(c) != "Mn")
    return letters.replace("đ", "d").replace("Đ", "D")


def other_tone(word: str) -> str:
    """Hỏi for ngã and the reverse; words with neither unchanged. NFC in, NFC out."""
    return _compose(unicodedata.normalize("NFD", word).translate(_HOI_NGA))


def plain_capitals(word: str) -> str:
    """Capitals without accents, as banks print names."""
    return fold(word).upper()


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def other_tone_place(word: str) -> str:
    """`Hòa` for `Hoà` and the reverse; other words unchanged. NFC in, NFC out."""
    spread = unicodedata.normalize("NFD", word)
    if _MOVABLE.search(spread):
        return _compose(_MOVABLE.sub(lambda m: "".join(m.group(i) or "" for i in (1, 3, 2, 4, 6, 5)), spread))
    return _compose(_MOVED.sub(lambda m: "".join(m.group(i) or "" for i in (1, 3, 2, 4, 6, 5)), spread))


def tcvn3_capitals(word: str) -> str:
    """Capitals in TCVN3: plain ABC fonts have accented letters in lower case only, so those stay lower."""
    return "".join(TCVN3.get(c.lower(), c.upper()) for c in word)


def betrays_tcvn3(word: str) -> bool:
    """Whether the TCVN3 form holds a character that no Vietnamese word in capitals can hold."""
    return any(ord(c) > 127 and c not in _VIETNAMESE_CAPITALS for c in tcvn3_capitals(word))


_EDITS = 6
_NEIGHBOURS = "aeioun"


def slips(word: str) -> list[str]:
    """Six mistypings: one letter substituted, dropped or transposed, never equal to `word` when folded."""
    chance = Random(word)  # the word itself is the seed, so a slip is the same in every world
    found: list[str] = []
    while len(found) < _EDITS:
        slip = _slip(word.lower(), chance)
        if fold(slip) != fold(word):
            found.append(_compose(slip[0].upper() + slip[1:]) if word[0].isupper() else slip)
    return found


def _slip(word: str, chance: Random) -> str:
    place = chance.randrange(len(word))
    kind = chance.randrange(3)
    if kind == 0 and len(word) > 2 and word[place].isalpha():
        return word[:place] + word[place + 1 :]
    if kind == 1 and place + 1 < len(word) and word[place : place + 2].isalpha():
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if word[place].isalpha():
        return word[:place] + chance.choice(_NEIGHBOURS) + word[place + 1 :]
    return word
