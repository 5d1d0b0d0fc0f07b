"""Which names people get: by sex, generation and ethnic group."""

from __future__ import annotations

import numpy as np

from stubs.world.people import names
from stubs.world.people.lexicon import lexicon
from stubs.world.table import Array

_YOUNG = 35 * 365  # days of age under which the newer fashions hold
KINH, KHMER, MONG, JARAI, EDE = 1, 5, 8, 10, 11


def draw_ethnicity(chance: np.random.Generator, count: int) -> Array:
    """Codes of ethnic groups by their share."""
    codes = np.array([code for code, _, _ in names.ETHNICITIES], dtype=np.int8)
    shares = np.array([share for _, _, share in names.ETHNICITIES], dtype=float)
    return chance.choice(codes, size=count, p=shares / shares.sum())


def draw_surnames(chance: np.random.Generator, ethnicity: Array) -> Array:
    """Family names (word numbers)."""
    words = lexicon().numbers(names.SURNAMES)
    shares = np.array([int(share) for share in names.SURNAMES.values()], dtype=float)
    found = chance.choice(words, size=len(ethnicity), p=shares / shares.sum())
    for code, surnames in names.ETHNIC_SURNAMES.items():
        rows = np.flatnonzero(ethnicity == code)
        found[rows] = chance.choice(lexicon().numbers(surnames), size=len(rows))
    return found


def draw_names(
    chance: np.random.Generator, surname: Array, ethnicity: Array, sex: Array, age: Array
) -> tuple[Array, Array, Array]:
    """Họ, chữ đệm (-1 for none) and tên of people of a family `surname`; `age` in days."""
    ho, dem, ten = surname.copy(), np.full(len(sex), -1, dtype=np.int16), np.zeros(len(sex), dtype=np.int16)
    young = age < _YOUNG
    for gender, generation in ((1, False), (1, True), (2, False), (2, True)):
        rows = np.flatnonzero((sex == gender) & (young == generation))
        part = f"{'MALE' if gender == 1 else 'FEMALE'}_{'YOUNG' if generation else 'OLD'}"
        dem[rows] = chance.choice(lexicon().numbers(getattr(names, f"MIDDLE_{part}")), size=len(rows))
        ten[rows] = chance.choice(lexicon().numbers(getattr(names, f"GIVEN_{part}")), size=len(rows))
    dem[chance.random(len(sex)) < 0.02] = -1
    _minority_names(chance, ethnicity, sex, (ho, dem, ten))
    return ho, dem, ten


def _minority_names(
    chance: np.random.Generator, ethnicity: Array, sex: Array, name: tuple[Array, Array, Array]
) -> None:
    """Overwrite the names of groups with customs of their own."""
    number, (ho, dem, ten) = lexicon().numbers, name
    own: dict[tuple[int, int], tuple[list[str], str | None]] = {
        (MONG, 1): (names.MONG_GIVEN_MALE, "A"),
        (MONG, 2): (names.MONG_GIVEN_FEMALE, "Thị"),
        (JARAI, 1): (names.JARAI_GIVEN_MALE, None),
        (JARAI, 2): (names.JARAI_GIVEN_FEMALE, None),
        (KHMER, 1): (names.KHMER_GIVEN, None),
        (KHMER, 2): (names.KHMER_GIVEN, "Thị"),
    }
    for (group, gender), (given, middle) in own.items():
        rows = np.flatnonzero((ethnicity == group) & (sex == gender))
        ten[rows] = chance.choice(number(given), size=len(rows))
        dem[rows] = number([middle])[0] if middle else -1
    rows = np.flatnonzero((ethnicity == EDE) & (sex == 1))
    ho[rows] = number(["Y"])[0]
    dem[rows] = chance.choice(number(names.EDE_GIVEN_MALE), size=len(rows))
    rows = np.flatnonzero((ethnicity == EDE) & (sex == 2))
    ho[rows] = chance.choice(number(names.EDE_GIVEN_FEMALE), size=len(rows))
    dem[rows] = -1
    rows = np.flatnonzero(ethnicity == EDE)
    ten[rows] = chance.choice(number(names.EDE_CLANS), size=len(rows))
