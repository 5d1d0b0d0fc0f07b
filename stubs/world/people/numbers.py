"""Identifiers that never repeat: personal numbers, 9-digit cards, tax codes, phones, account numbers.

Each kind walks a full-period sequence over its number space, so that millions of unique and
random-looking numbers need no memory of those given out before.
"""

from __future__ import annotations

import numpy as np

from stubs.world.clock import calendar
from stubs.world.table import Array

# Leading digits of mobile numbers after the 0.
_MOBILE = np.array(
    [
        32,
        33,
        34,
        35,
        36,
        37,
        38,
        39,
        70,
        76,
        77,
        78,
        79,
        81,
        82,
        83,
        84,
        85,
        86,
        88,
        89,
        90,
        91,
        93,
        94,
        96,
        97,
        98,
    ],
    dtype=np.int64,
)
_TAX_WEIGHTS = np.array([31, 29, 23, 19, 17, 13, 7, 5, 3], dtype=np.int64)
_STRIDE = 15_485_863  # a prime that divides none of the number spaces below


def tax_check_remainder(stems: Array) -> Array:
    """Weighted sum modulo 11 of nine-digit stems; the check digit is 10 minus it, and 0 is never issued."""
    powers = 10 ** np.arange(8, -1, -1, dtype=np.int64)
    digits = stems[:, None] // powers % 10
    return np.asarray((digits * _TAX_WEIGHTS).sum(axis=1) % 11)


class Numbers:
    """Gives out identifiers; the same seed and the same requests give the same numbers."""

    def __init__(self, seed: int) -> None:
        self._offset = seed * 7_919 + 104_729
        self._given: dict[str, int] = {}

    def _sequence(self, kind: str, count: int, space: int) -> Array:
        first = self._given.get(kind, 0)
        self._given[kind] = first + count
        return np.asarray((np.arange(first, first + count, dtype=np.int64) * _STRIDE + self._offset) % space)

    def running(self, kind: str, count: int) -> Array:
        """Consecutive numbers from 1."""
        first = self._given.get(kind, 0)
        self._given[kind] = first + count
        return np.arange(first + 1, first + count + 1, dtype=np.int64)

    def phones(self, count: int) -> Array:
        """Mobile numbers without the leading 0: nine digits."""
        drawn = self._sequence("phone", count, len(_MOBILE) * 10_000_000)
        return np.asarray(_MOBILE[drawn // 10_000_000] * 10_000_000 + drawn % 10_000_000)

    def national_ids(self, count: int) -> Array:
        """9-digit identity card numbers (số CMND), to be shown with leading zeros."""
        return self._sequence("cmnd", count, 10**9)

    def bank_accounts(self, count: int) -> Array:
        """The twelve digits that follow 9704."""
        return self._sequence("bank", count, 10**12)

    def tax_codes(self, count: int, *, business: bool = False) -> Array:
        """10-digit tax codes (mã số thuế) with their check digit; persons begin with 8, businesses with 0."""
        first = 10_000_000 if business else 800_000_000
        kept: list[Array] = []
        missing = count
        while missing > 0:
            drawn = self._sequence(
                "tax-business" if business else "tax", missing + missing // 5 + 8, 9_000_000
            )
            stems = first + drawn // 999_999 * 10_000_000 + drawn % 999_999 * 10 + 1
            remainder = tax_check_remainder(stems)
            codes = (stems * 10 + 10 - remainder)[remainder > 0][:missing]
            kept.append(codes)
            missing -= len(codes)
        return np.concatenate(kept) if kept else np.empty(0, dtype=np.int64)

    def personal_ids(self, province: Array, sex: Array, birth: Array, taken: Array) -> Array:
        """12-digit personal numbers (số định danh), none in `taken`.

        `province` is the 3-digit prefix, `sex` 1 or 2, `birth` days since 1970. Structure: Thông tư
        59/2021/TT-BCA Điều 4: province, century and sex, two digits of the year, six random digits.
        """
        year = calendar(birth)[0]
        century = (year // 100 - 19) * 2 + sex - 1
        cells = (province.astype(np.int64) * 10 + century) * 100 + year % 100
        ids = cells * 1_000_000 + self._sequence("pid", len(cells), 1_000_000)
        while len(clash := _repeated(ids, taken)):
            ids[clash] = cells[clash] * 1_000_000 + self._sequence("pid", len(clash), 1_000_000)
        return np.asarray(ids)


def _repeated(ids: Array, taken: Array) -> Array:
    first = np.zeros(len(ids), dtype=bool)
    first[np.unique(ids, return_index=True)[1]] = True
    return np.flatnonzero(~first | np.isin(ids, taken))
