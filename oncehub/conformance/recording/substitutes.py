"""Other values in the place of real ones: of the same form and length, and the same for the same value.

They are drawn by a keyed hash; without the key, which is never written down, nothing leads back.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import count
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

from oncehub.authoring.masking import names_somebody
from oncehub.conformance.records import leaves

_DATES: Final = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r"(?P<d>\d\d)(?P<s>[/.-])(?P<m>\d\d)(?P=s)(?P<y>\d{4})", "{d:02}{s}{m:02}{s}{y}"),
        (r"(?P<d>\d{1,2})(?P<s>[/.-])(?P<m>\d{1,2})(?P=s)(?P<y>\d{4})", "{d}{s}{m}{s}{y}"),
        (r"(?P<y>\d{4})(?P<s>[/.-])(?P<m>\d\d)(?P=s)(?P<d>\d\d)", "{y}{s}{m:02}{s}{d:02}"),
        (r"(?P<m>\d\d)(?P<s>[/.-])(?P<y>\d{4})", "{m:02}{s}{y}"),
        (r"(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])", "{y}{m:02}{d:02}"),
        (r"(?P<y>(?:19|20)\d\d)", "{y}"),
    )
)
_TIME: Final = re.compile(r"[ T]\d\d:\d\d(:\d\d)?")
_FIRST_DAY: Final = date(1950, 1, 1)
_DAYS: Final = 70 * 365
_MOST_DRAWS: Final = 200
_ENOUGH: Final = 8

Drawing = Iterator[int]
"""Numbers that a keyed hash gives."""


class Substitutes:
    """What stands for each value; different values have different substitutes as long as there are enough."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._chosen: dict[str, str] = {}
        self._taken: set[str] = set()
        self._draws: Counter[str] = Counter()
        self._common: dict[str, frozenset[int]] = {}
        self._real: set[str] = set()

    def learn(self, records: Iterable[Any]) -> None:
        """Take note of all values of one kind of records: none of them is to stand for another.

        Letters stay that all values of a field of one length share, as in SDC0000001, SDC0000002: they say
        nothing of any of them, and contracts ask for them. Of few values, or of words, none stays.
        """
        alike: dict[tuple[str, int], set[str]] = defaultdict(set)
        for record in records:
            for path, value in leaves(record):
                alike[path, len(str(value))].add(str(value))
        for values in alike.values():
            self._real |= values
            if len(values) >= _ENOUGH and not any(" " in value for value in values):
                self._share(values)

    def _share(self, values: set[str]) -> None:
        shared = frozenset(
            place
            for place, letter in enumerate(min(values))
            if not letter.isdigit() and all(value[place] == letter for value in values)
        )
        for value in values:
            self._common[value] = self._common.get(value, shared) & shared

    def of(self, text: str) -> str:
        """The substitute of a text."""
        if text not in self._chosen:
            self._chosen[text] = self._next(text)
        return self._chosen[text]

    def known(self, text: str) -> str | None:
        """The substitute of a text that has one."""
        return self._chosen.get(text)

    def draw_again(self, text: str) -> None:
        """Give a text another substitute, if it has one."""
        if text not in self._chosen:
            return
        self._taken.discard(self._chosen[text])
        self._chosen[text] = self._next(text)

    def put(self, text: str, substitute: str) -> None:
        """Let this stand for a text."""
        self._chosen[text] = substitute

    def _next(self, text: str) -> str:
        if not any(letter.isalnum() or not letter.isascii() for letter in text):
            return text
        drawn = ""
        for _ in range(_MOST_DRAWS):
            drawn = self._drawn(text)
            if drawn not in self._taken and drawn not in self._real:
                break
        self._taken.add(drawn)
        return drawn

    def _drawn(self, text: str) -> str:
        self._draws[text] += 1
        numbers = _numbers(self._key, f"{self._draws[text]} {text}")
        common = self._common.get(text, frozenset())
        return _of_date(text, numbers) or "".join(
            letter if place in common else _letter(letter, numbers) for place, letter in enumerate(text)
        )


def _numbers(key: bytes, what: str) -> Drawing:
    for block in count():
        yield from hmac.digest(key, f"{block} {what}".encode(), "sha256")


def _letter(letter: str, numbers: Drawing) -> str:
    """Spaces and ASCII signs stay; what is neither they nor a digit may be a letter in an old encoding."""
    if letter.isdigit():
        return str(next(numbers) % 10)
    if letter.isspace() or (letter.isascii() and not letter.isalpha()):
        return letter
    return (ascii_uppercase if letter.isupper() else ascii_lowercase)[next(numbers) % 26]


def _of_date(text: str, numbers: Drawing) -> str | None:
    """Another date in the same form, with another time of day where it states one; None of no date."""
    time = _TIME.search(text)
    day, rest = (text[: time.start()], text[time.start() :]) if time else (text, "")
    for pattern, form in _DATES:
        if found := pattern.fullmatch(day):
            drawn = _FIRST_DAY + timedelta(days=int.from_bytes(bytes(_take(numbers, 4))) % _DAYS)
            sign = found.groupdict().get("s")
            other = form.format(y=drawn.year, m=drawn.month, d=drawn.day, s=sign)
            return other + _TIME.sub(lambda part: _other_time(part[0], numbers), rest)
    return None


def _other_time(text: str, numbers: Drawing) -> str:
    bounds = {0: 24, 1: 60, 2: 60}
    parts = text[1:].split(":")
    drawn = (f"{next(numbers) % bounds[place]:02}" for place in range(len(parts)))
    return text[0] + ":".join(drawn)


def _take(numbers: Drawing, how_many: int) -> list[int]:
    return [next(numbers) for _ in range(how_many)]


Keep = Callable[[str], bool]
"""Whether the values at a dotted path stay as they are."""


def substituted(value: object, substitutes: Substitutes, keep: Keep, path: str = "") -> object:
    """A JSON value with every text and number replaced, but for those at paths that are kept.

    So is the name of a field that is data itself, as in a map by personal number.
    """
    if isinstance(value, dict):
        return {
            (substitutes.of(name) if names_somebody(name) else name): substituted(
                part, substitutes, keep, f"{path}.{name}".lstrip(".")
            )
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [substituted(item, substitutes, keep, path) for item in value]
    if value is None or isinstance(value, bool) or keep(path):
        return value
    if isinstance(value, str):
        return substitutes.of(value)
    return _number(value, substitutes) if isinstance(value, int | float) else value


def _number(value: float, substitutes: Substitutes) -> float:
    drawn = substitutes.of(str(value))
    if isinstance(value, int):
        # As long as before, though it began with 0.
        return int(re.sub(r"^(-?)0(?=\d)", r"\g<1>1", drawn))
    try:
        return float(drawn)
    except ValueError:
        return 0.0
