"""Every word a name can hold, numbered, in all its spellings: a name is three numbers until rendered."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import polars as pl

from stubs.world.people import names
from stubs.world.people.spelling import (
    betrays_tcvn3,
    fold,
    other_tone,
    other_tone_place,
    plain_capitals,
    slips,
    tcvn3_capitals,
    without_accents,
)
from stubs.world.table import Array

_SLIPS = 6

_SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda word: word,
    "upper": str.upper,
    "lower": str.lower,
    "folded": fold,
    "bank": plain_capitals,
    "tcvn3": tcvn3_capitals,
}


def _own_words() -> Iterable[str]:
    """All words of the name lists, each once, in a stable order."""
    lists = [
        value
        for key, value in sorted(vars(names).items())
        if key.startswith(("MIDDLE", "GIVEN", "MONG", "JARAI"))
    ]
    lists += [names.EDE_CLANS, names.EDE_GIVEN_MALE, names.EDE_GIVEN_FEMALE, names.KHMER_GIVEN]
    lists += [list(names.SURNAMES), *names.ETHNIC_SURNAMES.values(), ["Y", "A", "Thị"]]
    return dict.fromkeys(word for words in lists for word in words)


Name: TypeAlias = tuple[Array, Array, Array]
"""Họ, chữ đệm and tên as word numbers, one array each."""


class Lexicon:
    """Words by number, -1 for no word.

    The proper ones come first, then six slips of the hand for each, then each without its accents, then each
    with hỏi and ngã exchanged.
    """

    def __init__(self) -> None:
        proper = list(_own_words())
        self.size = len(proper)
        self.words = proper + [slip for word in proper for slip in slips(word)]
        self.words += [*map(without_accents, proper), *map(other_tone, proper)]
        self._number = {word: number for number, word in enumerate(proper)}
        self.folded_length = np.array([len(fold(word)) for word in self.words])
        folds = {word: number for number, word in enumerate(dict.fromkeys(fold(word) for word in self.words))}
        self.fold_number = np.array([*(folds[fold(word)] for word in self.words), -1])
        self.betrays_tcvn3 = np.array([*(betrays_tcvn3(word) for word in self.words), False])
        self._spelled: dict[str, pl.Series] = {}

    def numbers(self, words: Iterable[str]) -> Array:
        """The numbers of proper words."""
        return np.array([self._number[word] for word in words], dtype=np.int16)

    def slip(self, word: Array, choice: Array) -> Array:
        """A mistyped form of each proper word; `choice` is any integer."""
        return np.asarray(self.size + word.astype(np.int64) * _SLIPS + choice % _SLIPS)

    def accents_lost(self, word: Array) -> Array:
        """Proper words without accents; others as they are."""
        return self._careless(word, 1 + _SLIPS)

    def tones_confused(self, word: Array) -> Array:
        """Proper words with hỏi for ngã and the reverse; others as they are."""
        return self._careless(word, 2 + _SLIPS)

    def _careless(self, word: Array, block: int) -> Array:
        proper = (word >= 0) & (word < self.size)
        return np.where(proper, word.astype(np.int64) + block * self.size, word)

    def spell(self, word: Array, spelling: str) -> pl.Series:
        """Each word in a spelling; null for -1."""
        index = np.where(word < 0, len(self.words), word.astype(np.int64))
        return self._forms(spelling).gather(pl.Series(index))

    def typed(self, word: Array, case: Array, moved: Array, decomposed: Array) -> pl.Series:
        """Words as typed: `case` 0 as they are, 1 capitals, 2 small; tone `moved`; NFD when `decomposed`."""
        style = case.astype(np.int64) * 4 + moved * 2 + decomposed
        block = len(self.words) + 1
        index = style * block + np.where(word < 0, block - 1, word.astype(np.int64))
        return self._forms("typed").gather(pl.Series(index))

    def full_name(self, name: Name, spelling: str = "plain") -> pl.Series:
        """Họ, chữ đệm and tên in one string."""
        return join_words(*(self.spell(part, spelling) for part in name))

    def name_key(self, name: Name) -> pl.Series:
        """A full name folded and without spaces."""
        return self.full_name(name, "folded").str.replace_all(" ", "")

    def same_name(self, left: Name, right: Name) -> Array:
        """Whether two names are the same once folded and without spaces."""
        same: Array = np.logical_and.reduce(
            [self.fold_number[a] == self.fold_number[b] for a, b in zip(left, right, strict=True)]
        )
        doubtful = np.flatnonzero(~same)
        keys = [self.name_key((ho[doubtful], dem[doubtful], ten[doubtful])) for ho, dem, ten in (left, right)]
        same[doubtful] = (keys[0] == keys[1]).to_numpy()
        return same

    def _forms(self, spelling: str) -> pl.Series:
        if spelling not in self._spelled:
            forms = (
                self._typed_forms() if spelling == "typed" else [*map(_SPELLINGS[spelling], self.words), None]
            )
            self._spelled[spelling] = pl.Series(forms, dtype=pl.String)
        return self._spelled[spelling]

    def _typed_forms(self) -> list[str | None]:
        forms: list[str | None] = []
        for case in (str, str.upper, str.lower):
            for move in (str, other_tone_place):
                for normal in ("NFC", "NFD"):
                    forms += [unicodedata.normalize(normal, case(move(word))) for word in self.words]
                    forms.append(None)
        return forms


def join_words(ho: pl.Series, dem: pl.Series, ten: pl.Series) -> pl.Series:
    """One string of the words there are, a space between."""
    frame = pl.DataFrame({"ho": ho, "dem": dem, "ten": ten})
    return frame.select(pl.concat_str(pl.all(), separator=" ", ignore_nulls=True)).to_series()


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The one lexicon; the same in every world."""
    return Lexicon()
