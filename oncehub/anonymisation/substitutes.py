"""Invented values in the place of real ones: of the same form and length, and the same for the same value.

They are drawn by a keyed hash; without the key, which is never written down, nothing leads back. No
substitute is a value that was learnt, nor holds one as a word of its own.
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

from oncehub.anonymisation.anonymiser import anonymised, leaves
from oncehub.errors import ConfigError

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
_NUMBER: Final = re.compile(r"-?\d+(?P<fraction>\.\d+)?(?P<exponent>e[+-]?\d+)?")
_FIRST_DAY: Final = date(1950, 1, 1)
_DAYS: Final = 70 * 365
_MOST_DRAWS: Final = 200
_ENOUGH: Final = 8

# Values are looked for within others too: a cell of a CSV file may hold a list, an address its parts.
_BETWEEN: Final = re.compile(r"[\s;,|]+")
# So short, there are fewer values than a recording needs, and one says nothing of anybody; so is a year.
_SHORT: Final = 3
_YEAR: Final = re.compile(r"(19|20)\d\d")

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
        self._real_words: set[str] = set()

    def learn(self, records: Iterable[Any]) -> None:
        """Note all values of one kind of records: none of them may stand for another.

        Letters stay that all values of a field of one length share, as in SDC0000001, SDC0000002: they say
        nothing of any of them, and contracts ask for them. Of few values, or of words, none stays.
        """
        alike: dict[tuple[str, int], set[str]] = defaultdict(set)
        for record in records:
            for path, value in leaves(record):
                alike[path, len(str(value))].add(str(value))
        for values in alike.values():
            self._real |= {value for value in values if not _YEAR.fullmatch(value)}
            self._real_words |= {word for value in values for word in _words(value)}
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

    def text(self, text: str) -> str:
        """The substitute of a text.

        Raises:
            ConfigError: when every value of its form is a real one.
        """
        if text not in self._chosen:
            self._chosen[text] = self._next(text)
        return self._chosen[text]

    def number(self, number: float) -> float:
        """The substitute of a number, as `text` gives it for its digits."""
        return type(number)(self.text(str(number)))

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

    def is_real(self, text: str) -> bool:
        """Whether a text is a value that was learnt, or holds one as a word of its own."""
        return text in self._real or not self._real_words.isdisjoint(_words(text))

    def _next(self, text: str) -> str:
        if not any(letter.isalnum() or not letter.isascii() for letter in text):
            return text
        drawn = ""
        for attempt in range(2 * _MOST_DRAWS):
            drawn = self._drawn(text, freely=attempt >= _MOST_DRAWS)
            if drawn != text and drawn not in self._taken and not self.is_real(drawn):
                break
        else:
            if not _says_little(text):
                raise ConfigError(
                    f"the records hold all values of {len(text)} characters in one form, so that none can "
                    "stand for another; list the values of codes in the contract, so that they stay"
                )
        self._taken.add(drawn)
        return drawn

    def _drawn(self, text: str, *, freely: bool) -> str:
        """Draw once more; `freely`, though the letters that values share change, and dates become digits."""
        self._draws[text] += 1
        numbers = _numbers(self._key, f"{self._draws[text]} {text}")
        if not freely and (day := _of_date(text, numbers)):
            return day
        if number := _NUMBER.fullmatch(text):
            return _of_number(text, number, numbers)
        common = frozenset[int]() if freely else self._common.get(text, frozenset())
        return "".join(
            letter if place in common else _letter(letter, numbers) for place, letter in enumerate(text)
        )


def _words(text: str) -> set[str]:
    return {word for word in _BETWEEN.split(text) if not _says_little(word)}


def _says_little(text: str) -> bool:
    return sum(map(str.isalnum, text)) <= _SHORT or _YEAR.fullmatch(text) is not None


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


def _of_number(text: str, found: re.Match[str], numbers: Drawing) -> str:
    """Other digits of a number that is written as long: neither end of it becomes 0, an exponent stays."""
    end = found.start("exponent") if found["exponent"] else len(text)
    drawn = [_letter(letter, numbers) for letter in text[:end]]
    first = 1 if text[0] == "-" else 0
    for place in (first, *([end - 1] if found["fraction"] else [])):
        if drawn[place] == "0" != text[place]:
            drawn[place] = "1"
    return "".join(drawn) + text[end:]


def substituted(value: Any, substitutes: Substitutes, keep: Callable[[str], bool]) -> Any:
    """A JSON value with every text and number replaced, but for those at dotted paths that are kept."""
    return anonymised(value, substitutes, keep)
