"""Communes before and since 1 July 2025, and the addresses in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from stubs.world.clock import from_calendar, start_of_day
from stubs.world.people import names
from stubs.world.people.spelling import plain_capitals
from stubs.world.table import Array, Table

_CODES = Path(__file__).resolve().parents[3] / "mappings" / "codes"
REFORM = int(start_of_day(from_calendar(np.array([2025]), np.array([7]), np.array([1])))[0])
"""The moment (UTC microseconds) since which the 3,321 communes are in force."""
EDITION_NOW = "2025-07-01"
EDITION_FORMER = "2024-12-01"


def _table(name: str) -> pl.DataFrame:
    return pl.read_csv(_CODES / name, infer_schema=False)


class Places:
    """The country as pairs (former commune, present commune); a split former commune has several pairs."""

    def __init__(self) -> None:
        pairs = _table("admin_unit_successors.csv").filter(pl.col("old_ward_code").fill_null("") != "")
        prefixes = _table("provinces.csv").select("pid_prefix_3", old_province_code="old_gso_code")
        pairs = pairs.join(prefixes, on="old_province_code", how="left", maintain_order="left")
        self.count = len(pairs)
        self.prefix = pairs["pid_prefix_3"].cast(pl.Int64).to_numpy()
        self.old_code = pairs["old_ward_code"].cast(pl.Int64).to_numpy()
        self.new_code = pairs["new_ward_code"].cast(pl.Int64).to_numpy()
        self.urban = pairs["old_ward"].str.starts_with("Phường").to_numpy()
        self.weight = self._weights()
        self._successor_pairs = np.unique(self.old_code * 100_000 + self.new_code)
        self.region = self._regions()
        self._code = {False: pairs["new_ward_code"], True: pairs["old_ward_code"]}
        self.ward = {False: pairs["new_ward"], True: pairs["old_ward"]}
        self.province = {False: pairs["new_province"], True: pairs["old_province"]}
        self.where = {False: self._place_names(old=False), True: self._place_names(old=True)}
        self._lanes = _lanes()

    def _weights(self) -> Array:
        chance = np.random.default_rng(self.count)
        weight = chance.lognormal(0, 0.6, self.count) * np.where(self.urban, 2.5, 1.0)
        return np.asarray(weight / weight.sum())

    def _place_names(self, *, old: bool) -> dict[str, pl.Series]:
        frame = pl.DataFrame({"ward": self.ward[old], "province": self.province[old]})
        return {
            "plain": frame.select(pl.concat_str("ward", "province", separator=", ")).to_series(),
            "bank_ward": _each(self.ward[old], plain_capitals),
            "bank_province": _each(self.province[old], plain_capitals),
        }

    def _regions(self) -> Array:
        """A number per pair, equal wherever splits and mergers tie communes together."""
        old = np.unique(self.old_code, return_inverse=True)[1]
        new = np.unique(self.new_code, return_inverse=True)[1]
        region = np.arange(self.count)
        while True:
            lowest_old = np.full(old.max() + 1, self.count)
            np.minimum.at(lowest_old, old, region)
            spread = lowest_old[old]
            lowest_new = np.full(new.max() + 1, self.count)
            np.minimum.at(lowest_new, new, spread)
            spread = lowest_new[new]
            if np.array_equal(spread, region):
                return region
            region = spread

    def draw(self, chance: np.random.Generator, count: int) -> Array:
        """Random pairs by weight."""
        return chance.choice(self.count, size=count, p=self.weight)

    def code(self, pair: Array, old: Array) -> pl.Series:
        """5-digit commune codes in the former (`old`) or the present catalogue."""
        return self._pick(self._code, pair, old)

    def pick_place(self, kind: str, pair: Array, old: Array) -> pl.Series:
        """Names of commune and province; `kind` is `plain`, `bank_ward` or `bank_province`."""
        return self._pick({edition: texts[kind] for edition, texts in self.where.items()}, pair, old)

    def pick_ward(self, pair: Array, old: Array) -> pl.Series:
        """The commune's name."""
        return self._pick(self.ward, pair, old)

    def _pick(self, texts: dict[bool, pl.Series], pair: Array, old: Array) -> pl.Series:
        both = pl.concat([texts[False], texts[True]])
        return both.gather(pl.Series(pair.astype(np.int64) + old.astype(np.int64) * self.count))

    def agree(self, pair: Array, old: Array, other: Array, other_old: Array) -> Array:
        """Whether two coded addresses may be the same place: one code, or a successor in common."""
        mixed_left = self._succeeds(self.old_code[pair], self.new_code[other])
        mixed_right = self._succeeds(self.old_code[other], self.new_code[pair])
        same_new = self.new_code[pair] == self.new_code[other]
        same_old = self.old_code[pair] == self.old_code[other]
        doubtful = old & other_old & ~same_old & (self.region[pair] == self.region[other])
        same_old[doubtful] = self._share_successor(pair[doubtful], other[doubtful])
        return np.asarray(
            np.where(
                old, np.where(other_old, same_old, mixed_left), np.where(other_old, mixed_right, same_new)
            )
        )

    def _succeeds(self, old_code: Array, new_code: Array) -> Array:
        return np.isin(old_code * 100_000 + new_code, self._successor_pairs)

    def _share_successor(self, pair: Array, other: Array) -> Array:
        known = pl.DataFrame({"old": self.old_code, "new": self.new_code}).unique()
        asked = pl.DataFrame(
            {"row": np.arange(len(pair)), "old": self.old_code[pair], "other": self.old_code[other]}
        )
        shared = asked.join(known, on="old").join(
            known, left_on=["other", "new"], right_on=["old", "new"], how="semi"
        )
        return np.isin(np.arange(len(pair)), shared["row"].to_numpy())

    # Addresses: rows of a table that people and records point to.

    def addresses(self, chance: np.random.Generator, pair: Array) -> Table:
        """Street addresses in the given communes."""
        lane = np.where(
            self.urban[pair],
            chance.integers(0, len(names.STREETS), len(pair)),
            chance.integers(len(names.STREETS), len(self._lanes), len(pair)),
        )
        return Table(
            {"pair": pair.astype(np.int32), "house": chance.integers(1, 400, len(pair)), "lane": lane}
        )

    def details(self, addresses: Table, rows: Array) -> pl.Series:
        """House and street, or the hamlet."""
        lane = self._lanes.gather(pl.Series(addresses["lane"][rows]))
        house = pl.Series(addresses["house"][rows]).cast(pl.String)
        urban = pl.Series(addresses["lane"][rows] < len(names.STREETS))
        frame = pl.DataFrame({"lane": lane, "house": house, "urban": urban})
        numbered = pl.concat_str("house", pl.lit(" "), "lane")
        return frame.select(pl.when("urban").then(numbered).otherwise("lane")).to_series()

    def elsewhere(self, chance: np.random.Generator, pair: Array) -> Array:
        """Communes of another region than the given, so that a move can never be taken for a renaming."""
        found = self.draw(chance, len(pair))
        while len(near := np.flatnonzero(self.region[found] == self.region[pair])):
            found[near] = self.draw(chance, len(near))
        return found


def _lanes() -> pl.Series:
    hamlets = [f"{kind} {number}" for kind in names.HAMLETS for number in range(1, 13)]
    return pl.Series([*names.STREETS, *hamlets])


def _each(texts: pl.Series, change: Callable[[str], str]) -> pl.Series:
    unique = texts.unique(maintain_order=True)
    return texts.replace_strict(unique, pl.Series([change(text) for text in unique]), return_dtype=pl.String)


@lru_cache(maxsize=1)
def places() -> Places:
    """The one country; the same in every world."""
    return Places()
