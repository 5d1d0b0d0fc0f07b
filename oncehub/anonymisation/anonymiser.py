"""Replaces every text and number of a record; `masked` shows only the form: letters become x, digits 9."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from typing import Any, Final, Protocol

DEEPEST: Final = 100
"""Levels of a record that are looked at."""

_LARGEST: Final = 2**63 - 1
"""What every reader of JSON takes for an integer."""


class Replacement(Protocol):
    """What stands for the values of records."""

    def text(self, text: str) -> str:
        """Replace a text, or the name of a field that is data itself."""

    def number(self, number: float) -> float:
        """Replace an integer by an integer, any other number by a fraction."""


def anonymised(
    value: Any, replacement: Replacement, keep: Callable[[str], bool], path: str = "", depth: int = 0
) -> Any:
    """Replace every text and number of a JSON value, but for those at the dotted paths that `keep` accepts.

    Items of a list stand under the list's own path. Booleans and null say nothing by themselves; null also
    stands for what lies deeper than `DEEPEST`.
    """
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {
            (replacement.text(name) if names_somebody(name) else name): anonymised(
                part, replacement, keep, f"{path}.{name}".lstrip("."), depth + 1
            )
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [anonymised(item, replacement, keep, path, depth + 1) for item in value]
    if value is None or isinstance(value, bool) or keep(path):
        return value
    if isinstance(value, date | datetime):
        return replacement.text(value.isoformat())
    return replacement.text(value) if isinstance(value, str) else replacement.number(value)


def names_somebody(name: str) -> bool:
    """Whether a field's name is data itself, as in a map by personal number or email address."""
    return sum(letter.isdigit() for letter in name) > 5 or "@" in name[1:]


def leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Texts, numbers and booleans of a JSON value, by dotted path; items stand under their list's path."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    elif value is not None:
        yield path, value


class _Mask:
    """Shows only the form of a value."""

    def text(self, text: str) -> str:
        return "".join(map(_masked_letter, text))

    def number(self, number: float) -> float:
        if not isinstance(number, int):
            return 9.9
        return max(-_LARGEST, min(_LARGEST, int(self.text(str(number)))))


_MASK: Final = _Mask()


def masked_text(text: str) -> str:
    """Keep length, case and punctuation: `Bà Lan, 0912` -> `Xx Xxx, 9999`."""
    return _MASK.text(text)


def masked(value: Any, shown: Collection[str] = (), path: str = "") -> Any:
    """Mask every text and number of a JSON value, but for the fields at the dotted paths `shown`.

    `path` is where the value itself stands in its record.
    """
    return anonymised(value, _MASK, shown.__contains__, path)


def _masked_letter(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind[0] in "LM":  # a tone mark by itself tells as much as its letter
        return "X" if kind == "Lu" else "x"
    if kind[0] == "N":
        return "9"
    # In TCVN3 and VNI, letters with tones look like signs: ¸ is á.
    return letter if letter.isascii() or letter.isspace() else "x"
