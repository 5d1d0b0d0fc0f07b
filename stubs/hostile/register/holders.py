"""The fictional holders of land-use certificates and their documents: a number and a seed give one person."""

from datetime import date, timedelta
from functools import lru_cache
from random import Random

import numpy as np

from stubs.world.people import names
from stubs.world.people.places import places

Fields = dict[str, object]

_FIRST_BIRTH = date(1950, 1, 1)
_BIRTH_DAYS = 55 * 365
_SERIALS = 1_000_000
_STRIDE = 7_919  # prime to the serials, so that they never repeat among a million holders
_DOCUMENT_KINDS = ("GCN", "HDCN", "TBT")  # certificate, transfer contract, tax notice


def holder_key(number: int) -> str:
    """The register's own number of a holder (mã số), from 1."""
    return f"SDC{number:07d}"


def holder_fields(seed: int, number: int) -> Fields:
    """A holder's fields but for status, time and sequence; a tenth of them has no phone."""
    chance = Random(f"{seed}/{number}")
    female = chance.random() < 0.5
    birth = _FIRST_BIRTH + timedelta(days=chance.randrange(_BIRTH_DAYS))
    prefix, commune = chance.choice(_communes())
    return {
        "maSo": holder_key(number),
        "hoTen": _name(chance, female=female),
        "soDinhDanh": _personal_number(prefix, birth, (number * _STRIDE + seed) % _SERIALS, female=female),
        "ngaySinh": f"{birth:%d/%m/%Y}",
        "gioiTinh": "0" if female else "1",
        "dienThoai": new_phone(chance) if chance.random() < 0.9 else None,
        "maXa": commune,
        "thuaDat": [
            f"{chance.randint(1, 99)}/{chance.randint(1, 900)}" for _ in range(chance.choice((1, 1, 2, 3)))
        ],
    }


def document_fields(seed: int, key: str, number: int) -> Fields:
    """The `number`-th document of a holder."""
    chance = Random(f"{seed}/{key}/{number}")
    issued = date(2015, 1, 1) + timedelta(days=chance.randrange(3650))
    return {
        "soPhatHanh": f"{key}-{number:02d}",
        "maSo": key,
        "loai": chance.choice(_DOCUMENT_KINDS),
        "ngayCap": f"{issued:%d/%m/%Y}",
        "dienTich": chance.randint(200, 90_000) / 10,
    }


def document_count(seed: int, key: str) -> int:
    """How many documents a holder has from the beginning: none to three."""
    return Random(f"{seed}/{key}").randint(0, 3)


def new_phone(chance: Random) -> str:
    """A mobile number in valid form."""
    return f"0{chance.choice((32, 56, 70, 81, 90, 98))}{chance.randrange(10_000_000):07d}"


def _name(chance: Random, *, female: bool) -> str:
    surname = chance.choices(list(names.SURNAMES), weights=[int(share) for share in names.SURNAMES.values()])
    middle = names.MIDDLE_FEMALE_YOUNG if female else names.MIDDLE_MALE_YOUNG
    given = names.GIVEN_FEMALE_YOUNG if female else names.GIVEN_MALE_YOUNG
    return " ".join([*surname, chance.choice(middle), chance.choice(given)])


def _personal_number(prefix: int, birth: date, serial: int, *, female: bool) -> str:
    """12 digits: province, century and sex, two digits of the year, serial (Thông tư 59/2021/TT-BCA)."""
    century = (birth.year // 100 - 19) * 2 + female
    return f"{prefix:03d}{century}{birth.year % 100:02d}{serial:06d}"


@lru_cache(maxsize=1)
def _communes() -> list[tuple[int, str]]:
    """Province prefix of personal numbers and commune code, of every present commune."""
    country = places()
    pairs = np.arange(country.count)
    codes = country.code(pairs, np.zeros(country.count, dtype=bool))
    return sorted(set(zip(country.prefix.tolist(), codes.to_list(), strict=True)))
