"""Text in Windows-1258, the Vietnamese code page of the customs' files.

The code page has the letters with circumflex, breve and horn, but the five tones only as combining marks
after the letter; so NFC text must be taken apart before it can be encoded.
"""

import unicodedata

_PLAIN = "aăâeêioôơuưy"
TONES = "\u0300\u0301\u0303\u0309\u0323"
_WITH_TONE = [unicodedata.normalize("NFC", letter + tone) for letter in _PLAIN for tone in TONES]

VIETNAMESE_LETTERS = "".join(letter.upper() + letter for letter in [*"ăâđêôơư", *_WITH_TONE])
"""The 134 letters beyond ASCII of the Vietnamese alphabet, upper and lower case, NFC."""


def _letter_and_tone(letter: str) -> str:
    marks = unicodedata.normalize("NFD", letter)
    base = "".join(mark for mark in marks if mark not in TONES)
    tone = "".join(mark for mark in marks if mark in TONES)
    return unicodedata.normalize("NFC", base) + tone


_TABLE = str.maketrans({letter: _letter_and_tone(letter) for letter in VIETNAMESE_LETTERS})


def encode_windows_1258(text: str) -> bytes:
    """Vietnamese text of any normal form as Windows-1258; `UnicodeEncodeError` for a foreign character."""
    return unicodedata.normalize("NFC", text).translate(_TABLE).encode("cp1258")
