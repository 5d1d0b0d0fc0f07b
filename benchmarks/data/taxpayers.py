"""Generates tax records by the page; each page is reproducible and made without the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from stubs.world.people import names
from stubs.world.people.lexicon import join_words, lexicon
from stubs.world.people.numbers import Numbers
from stubs.world.table import Array

# Shares as in the simulated world's register of taxpayers.
_NUMBERED, _CARDED, _MAILED, _OLDER = 0.85, 0.35, 0.25, 0.5
_DATE_FORMS = ("%d/%m/%Y", "%m/%Y", "%Y")
_DATE_FORM_SHARES = (0.9, 0.04, 0.06)
_STATUSES, _STATUS_SHARES = ("00", "01", "04"), (0.95, 0.04, 0.01)
_OFFICES = 96
# Before the reform of 2025 some names come in TCVN3.
_UPDATED = ("2023-01-01T08:00", "2025-07-01T08:00")
_ABOUT_TWO_YEARS = 60_000_000
_GIVEN = [*names.GIVEN_MALE_OLD, *names.GIVEN_FEMALE_OLD, *names.GIVEN_MALE_YOUNG, *names.GIVEN_FEMALE_YOUNG]
_MIDDLE = [*names.MIDDLE_MALE_OLD, *names.MIDDLE_FEMALE_OLD]


@dataclass(frozen=True)
class Taxpayers:
    """A register of `count` taxpayers, read in pages.

    Attributes:
        codes: every tax code, unique, with its check digit; in no order, as registers list them.
    """

    count: int
    codes: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", Numbers(seed=1).tax_codes(self.count))

    def page(self, number: int, size: int) -> bytes:
        """Return a page, counted from 1, of `size` records in the simulated tax office's JSON."""
        head = f'{{"data":{{"trang":{number},"tongSo":{self.count},"items":'
        items = _records(self.codes[(number - 1) * size : number * size], number).write_json()
        return f"{head}{items}}}}}".encode()


def _records(codes: Array, seed: int) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    count = len(codes)
    older = chance.random(count) < _OLDER
    return pl.DataFrame(
        {
            "mst": _padded(codes, 10),
            "soDinhDanh": _kept(_personal_ids(chance, count), chance, _NUMBERED),
            "soCMND": _kept(_padded(chance.integers(10**8, 4 * 10**8, count), 9), chance, _CARDED),
            "hoTen": _names(chance, older),
            "ngaySinh": _births(chance, count),
            "gioiTinh": _chosen(chance, ["1", "0"], count),
            "quocTich": pl.Series(["VN"]).new_from_index(0, count),
            "diaChi": _addresses(chance, count),
            "dienThoai": _chosen(chance, ["09", "03", "849"], count) + _padded(_any(chance, 8, count), 8),
            "email": _kept(_padded(codes, 10) + "@example.vn", chance, _MAILED),
            "coQuanThue": "CQT" + _padded(chance.integers(1, _OFFICES, count), 3),
            "ngayCap": _days(chance, count, "2008-01-01").dt.strftime("%d/%m/%Y"),
            "trangThai": _chosen(chance, _STATUSES, count, _STATUS_SHARES),
            "ngayCapNhat": _updates(chance, older),
        }
    )


def _names(chance: np.random.Generator, older: Array) -> pl.Series:
    parts = [
        lexicon().numbers(words)[chance.integers(0, len(words), len(older))]
        for words in (list(names.SURNAMES), _MIDDLE, _GIVEN)
    ]
    unicode, legacy = (join_words(*(lexicon().spell(part, s) for part in parts)) for s in ("upper", "tcvn3"))
    return legacy.zip_with(pl.Series(older & (chance.random(len(older)) < _OLDER)), unicode)


def _addresses(chance: np.random.Generator, count: int) -> pl.Series:
    house = "Số " + pl.Series(chance.integers(1, 900, count)).cast(pl.String)
    detail = house + ", đường " + _chosen(chance, names.STREETS, count)
    hamlet = ", " + _chosen(chance, names.HAMLETS, count)
    hamlet += " " + pl.Series(chance.integers(1, 20, count)).cast(pl.String)
    commune = _padded(chance.integers(1, 32_000, count), 5)
    return pl.DataFrame({"maXa": commune, "chiTiet": detail + hamlet}).to_struct("diaChi")


def _births(chance: np.random.Generator, count: int) -> pl.Series:
    days = _days(chance, count, "1945-01-01")
    form = chance.choice(len(_DATE_FORMS), count, p=_DATE_FORM_SHARES)
    written = [days.dt.strftime(each) for each in _DATE_FORMS]
    partly = written[1].zip_with(pl.Series(form == 1), written[2])
    return written[0].zip_with(pl.Series(form == 0), partly)


def _updates(chance: np.random.Generator, older: Array) -> pl.Series:
    before, after = (np.datetime64(moment, "s") for moment in _UPDATED)
    start = np.where(older, before, after)
    moments = start + chance.integers(0, _ABOUT_TWO_YEARS // 2, len(older)).astype("timedelta64[s]")
    return pl.Series(moments.astype("datetime64[ms]")).dt.strftime("%d/%m/%Y %H:%M:%S")


def _days(chance: np.random.Generator, count: int, first: str) -> pl.Series:
    days = np.datetime64(first, "D") + chance.integers(0, 6_000, count).astype("timedelta64[D]")
    return pl.Series(days)


def _personal_ids(chance: np.random.Generator, count: int) -> pl.Series:
    province = _padded(chance.integers(1, _OFFICES, count), 3)
    return province + _padded(_any(chance, 9, count), 9)


def _any(chance: np.random.Generator, digits: int, count: int) -> Array:
    return chance.integers(0, 10**digits, count)


def _chosen(
    chance: np.random.Generator, values: Sequence[str], count: int, shares: Sequence[float] | None = None
) -> pl.Series:
    return pl.Series(values).gather(pl.Series(chance.choice(len(values), count, p=shares)))


def _kept(values: pl.Series, chance: np.random.Generator, share: float) -> pl.Series:
    absent = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
    return values.zip_with(pl.Series(chance.random(len(values)) < share), absent)


def _padded(numbers: Array, width: int) -> pl.Series:
    return pl.Series(numbers).cast(pl.String).str.zfill(width)
