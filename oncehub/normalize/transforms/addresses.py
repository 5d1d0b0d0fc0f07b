"""Transforms for addresses coded by commune, by the catalogue before the reform of 2025 or after it."""

from __future__ import annotations

import datetime as clock
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from oncehub.config.administrative_units import REFORM, read_successors, read_units
from oncehub.normalize.transforms.dates import HOME, day
from oncehub.normalize.transforms.transform import optional_transform, transform

FORMER_EDITION: Final = "2024-12-01"
"""First day of the last catalogue of communes before the reform of 2025."""


@transform
def edition_as_of(value: pl.Expr, form: str = "iso8601", zone: str = HOME) -> pl.Expr:
    """Tell the catalogue of communes that was in force at a moment, by the first day of that catalogue.

    For sources that code an address without naming the catalogue. Source: Nghị quyết 202/2025/QH15.

    Examples:
        {"edition_as_of": "%d/%m/%Y %H:%M:%S"}: "30/06/2025 23:59:59" -> "2024-12-01"
        {"edition_as_of": "%d/%m/%Y %H:%M:%S"}: "01/07/2025 00:00:00" -> "2025-07-01"
        {"edition_as_of": "dd/MM/yyyy"}: "30/06/2025" -> "2024-12-01"
    """
    reformed = day(value, form, zone) >= pl.lit(clock.date.fromisoformat(REFORM))
    return reformed.replace_strict(
        [True, False], [REFORM, FORMER_EDITION], default=None, return_dtype=pl.String
    )


@transform
def unit_code(value: pl.Expr, on: str | clock.date, *, mappings: Path) -> pl.Expr:
    """Check a commune's 5-digit code against the catalogue in force on a day.

    Source: Nghị quyết 202/2025/QH15.

    Examples:
        {"unit_code": "2025-07-01"}: "00008" -> "00008"
        {"unit_code": "2025-07-01"}: "00007" -> failure
        {"unit_code": "2024-12-01"}: "00007" -> "00007"
    """
    known = _candidates(mappings, _edition(on), _edition(on))
    return pl.when(value.is_in(known["unit"].implode())).then(value)


@transform
def unit_as_of(
    value: pl.Expr, on: str | clock.date, edition: str | clock.date = FORMER_EDITION, *, mappings: Path
) -> pl.Expr:
    """Turn a commune's code of the catalogue `edition` into the one that its whole area has on a day.

    A commune that was split fails, as nothing tells which part is meant: see `unit_candidates`.
    Source: Nghị quyết 202/2025/QH15.

    Examples:
        {"unit_as_of": "2025-07-01"}: "00006" -> "00008"
        {"unit_as_of": "2025-07-01"}: "00007" -> failure
        {"unit_as_of": "2025-07-01"}: "99999" -> failure
        {"unit_as_of": "2025-06-30"}: "00007" -> "00007"
    """
    return _one_of(value, _candidates(mappings, _edition(edition), _edition(on)))


@optional_transform
def unit_as_of_unless_split(
    value: pl.Expr, on: str | clock.date, edition: str | clock.date = FORMER_EDITION, *, mappings: Path
) -> pl.Expr:
    """Like `unit_as_of`, where a commune that was split, or is unknown, means that the day's is not stated.

    With `unit_code` before it an unknown one fails. Source: Nghị quyết 202/2025/QH15.

    Examples:
        {"unit_as_of_unless_split": "2025-07-01"}: "00006" -> "00008"
        {"unit_as_of_unless_split": "2025-07-01"}: "00007" -> null
    """
    return _one_of(value, _candidates(mappings, _edition(edition), _edition(on)))


@transform
def unit_candidates(
    value: pl.Expr, on: str | clock.date, edition: str | clock.date = FORMER_EDITION, *, mappings: Path
) -> pl.Expr:
    """List the communes that the area of a code of the catalogue `edition` belongs to on a day, for a clerk.

    Sorted, a space between. Source: Nghị quyết 202/2025/QH15.

    Examples:
        {"unit_candidates": "2025-07-01"}: "00007" -> "00008 00025"
        {"unit_candidates": "2025-07-01"}: "00006" -> "00008"
        {"unit_candidates": "2025-07-01"}: "99999" -> failure
    """
    found = _candidates(mappings, _edition(edition), _edition(on))
    return _looked_up(value, found.with_columns(pl.col("candidates").list.join(" ")))


def _one_of(value: pl.Expr, candidates: pl.DataFrame) -> pl.Expr:
    sole = candidates.filter(pl.col("candidates").list.len() == 1)
    return _looked_up(value, sole.with_columns(pl.col("candidates").list.first()))


def _looked_up(value: pl.Expr, answers: pl.DataFrame) -> pl.Expr:
    return value.replace_strict(answers["unit"], answers["candidates"], default=None, return_dtype=pl.String)


@cache
def _candidates(mappings: Path, edition: str, on: str) -> pl.DataFrame:
    """`unit` of one catalogue, and its `candidates` in the other: a sorted list, never empty."""
    pairs = read_successors(mappings).rename({"former_unit": FORMER_EDITION, "present_unit": REFORM})
    if edition == on == REFORM:
        # A special zone may have come of a district without communes.
        pairs = read_units(mappings).to_frame(REFORM)
    pairs = pairs.select(pl.col(edition).alias("unit"), pl.col(on).alias("candidates"))
    return pairs.group_by("unit").agg(pl.col("candidates").unique().sort())


def _edition(stated: str | clock.date) -> str:
    """The first day of the catalogue in force on a day.

    Raises:
        ValueError: when it is no day, or lies before the first catalogue that is known.
    """
    try:
        found = clock.date.fromisoformat(stated) if isinstance(stated, str) else stated
    except ValueError:
        found = None
    if not isinstance(found, clock.date) or found.isoformat() < FORMER_EDITION:
        raise ValueError(f"{stated!r} is no day of a known catalogue; write one from {FORMER_EDITION} on")
    return REFORM if found.isoformat() >= REFORM else FORMER_EDITION
