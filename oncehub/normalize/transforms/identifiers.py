"""Transforms of the numbers that identify a person: personal number, 9-digit card, tax code, passport."""

from __future__ import annotations

from typing import Final

import polars as pl

from oncehub.normalize.transforms.transform import optional_transform, transform

_TWELVE_DIGITS: Final = r"^[0-9]{12}$"
# Three digits of province (001-096) or country of birth registration, one of century and sex, two of year,
# six random.
_PERSONAL_ID: Final = r"^0(?:0[1-9]|[1-9][0-9])[0-9]{9}$"
# Two digits of tax office, seven of serial and one of check, from 0000001; branches from 001.
_TAX_CODE: Final = r"^[0-9]{10}(?:-?[0-9]{3})?$"
_NEVER_ISSUED: Final = r"^[0-9]{2}0{7}|^[0-9]{10}-?0{3}$"
_CHECK_WEIGHTS: Final = ((31, 29, 23), (19, 17, 13), (7, 5, 3))
_WEIGHTED_SUMS: Final = tuple(
    pl.Series([n // 100 * a + n // 10 % 10 * b + n % 10 * c for n in range(1000)])
    for a, b, c in _CHECK_WEIGHTS
)


@transform
def digits(value: pl.Expr) -> pl.Expr:
    """Keep the digits 0-9 only; fails when there is none.

    Examples:
        "001 084 000 999" -> "001084000999"
        "không" -> failure
    """
    kept = value.str.replace_all("[^0-9]", "")
    return pl.when(kept != "").then(kept)


@transform
def personal_id(value: pl.Expr) -> pl.Expr:
    """Check a personal number (số định danh cá nhân): 12 digits with a possible place of birth registration.

    It has no check digit. Source: Thông tư 59/2021/TT-BCA Điều 4, Nghị định 137/2015/NĐ-CP Điều 13.

    Examples:
        "087084000999" -> "087084000999"
        "187084000999" -> failure
        "000084000999" -> failure
        "08708400099" -> failure
    """
    return pl.when(value.str.contains(_PERSONAL_ID)).then(value)


@optional_transform
def only_12_digits(value: pl.Expr) -> pl.Expr:
    """Keep a value of 12 digits; anything else means that there is no such number here.

    For fields in which a personal number and another number may stand: since 2025-07-01 the personal
    number serves as the tax code (Thông tư 86/2024/TT-BTC).

    Examples:
        "087084000999" -> "087084000999"
        "8012345678" -> null
    """
    return pl.when(value.str.contains(_TWELVE_DIGITS)).then(value)


@optional_transform
def not_12_digits(value: pl.Expr) -> pl.Expr:
    """Keep a value unless it has 12 digits, which would be a personal number; see `only_12_digits`.

    Examples:
        "8012345678" -> "8012345678"
        "087084000999" -> null
    """
    return pl.when(~value.str.contains(_TWELVE_DIGITS)).then(value)


@transform
def national_id_9(value: pl.Expr) -> pl.Expr:
    """Check a 9-digit identity card number (số chứng minh nhân dân).

    Examples:
        "012345678" -> "012345678"
        "12345678" -> failure
    """
    return pl.when(value.str.contains(r"^[0-9]{9}$")).then(value)


@transform
def tax_code(value: pl.Expr) -> pl.Expr:
    """Check a tax code (mã số thuế): 10 digits, 13 written `1234567890-001`, or a personal number of 12.

    The tenth digit is 10 minus the weighted sum of the first nine modulo 11; a remainder of 0, the
    serial 0000000 and the branch 000 were never issued.
    Source: Thông tư 86/2024/TT-BTC (from 2026-07-01 Thông tư 90/2026/TT-BTC).

    Examples:
        "0100233488" -> "0100233488"
        "0100233488001" -> "0100233488-001"
        "0100233489" -> failure
        "0100233488-000" -> failure
        "087084000999" -> "087084000999"
        "01002334" -> failure
    """
    stem, branch = value.str.slice(0, 10), value.str.slice(-3)
    written = pl.when(value.str.len_bytes() == 10).then(value).otherwise(stem + "-" + branch)
    return (
        pl.when(
            value.str.contains(_TAX_CODE) & ~value.str.contains(_NEVER_ISSUED) & _check_digit_holds(value)
        )
        .then(written)
        .when(value.str.contains(_PERSONAL_ID))
        .then(value)
    )


@transform
def passport(value: pl.Expr) -> pl.Expr:
    """Check a passport's number (số hộ chiếu): six to nine capitals and digits, one of them a digit.

    Vietnamese ones are a letter and seven or eight digits; nine signs are what a passport has room for.
    Source: ICAO Doc 9303-4 (zone of the document number).

    Examples:
        "C1234567" -> "C1234567"
        "p 00123456" -> "P00123456"
        "PASSPORT" -> failure
        "C12" -> failure
    """
    number = value.str.replace_all(r"[\s.-]", "").str.to_uppercase()
    return pl.when(number.str.contains("^[A-Z0-9]{6,9}$") & number.str.contains("[0-9]")).then(number)


def _check_digit_holds(value: pl.Expr) -> pl.Expr:
    """Add up nine weighted digits by three tables of the sums of three."""
    weighted = [
        pl.lit(sums).gather(value.str.slice(3 * place, 3).str.to_integer(strict=False))
        for place, sums in enumerate(_WEIGHTED_SUMS)
    ]
    check = value.str.slice(9, 1).str.to_integer(strict=False)
    return 10 - pl.sum_horizontal(*weighted, ignore_nulls=False) % 11 == check
