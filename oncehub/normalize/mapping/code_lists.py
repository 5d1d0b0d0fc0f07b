"""Code lists: they decode a source's codes into canonical values."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl

from oncehub.config.mapping import CodeList, Meaning
from oncehub.errors import ConfigError


@dataclass(frozen=True)
class Codes:
    """A code list as expressions.

    Where every meaning always holds, `decode` does all; where meanings are valid for a time, `known`,
    `valid_on` and `meaning` follow each other.

    Attributes:
        values: source code -> its meanings, all texts or all booleans; null where the code means unknown.
    """

    values: dict[str, tuple[Meaning, ...]]

    @cached_property
    def meanings(self) -> list[Meaning]:
        """All meanings, in the order of the list."""
        return [meaning for meanings in self.values.values() for meaning in meanings]

    @property
    def dated(self) -> bool:
        """Whether any meaning is valid for a time only."""
        return any(meaning.since or meaning.until for meaning in self.meanings)

    @property
    def says_unknown(self) -> bool:
        """Whether any code means unknown."""
        return any(meaning.means is None for meaning in self.meanings)

    def decode(self, value: pl.Expr) -> pl.Expr:
        """Replace codes by their only meaning; an unknown code gives null."""
        return value.replace_strict(
            list(self.values), self._canonical, default=None, return_dtype=self._canonical.dtype
        )

    def unknown(self, value: pl.Expr) -> pl.Expr:
        """Tell whether a code is not in the list."""
        return value.is_not_null() & ~value.is_in(list(self.values))

    def known(self, value: pl.Expr) -> pl.Expr:
        """Return the code; null where it is not in the list."""
        return pl.when(value.is_in(list(self.values))).then(value)

    def valid_on(self, code: pl.Expr, day: pl.Expr) -> pl.Expr:
        """Return the place in `meanings` of what a code means on a day; null where none is valid."""
        return pl.coalesce(self._valid(code, day, rank) for rank in self._ranks())

    def meaning(self, place: pl.Expr) -> pl.Expr:
        """Return the canonical value of the meaning at a place."""
        return pl.lit(self._canonical).gather(place)

    @cached_property
    def _canonical(self) -> pl.Series:
        flags = any(isinstance(meaning.means, bool) for meaning in self.meanings)
        return pl.Series([each.means for each in self.meanings], dtype=pl.Boolean if flags else pl.String)

    def _ranks(self) -> Iterator[dict[str, int]]:
        """Yield the places of the codes' first meanings, of their second, and so on."""
        first = dict(zip(self.values, accumulate(map(len, self.values.values()), initial=0), strict=False))
        for rank in range(max(map(len, self.values.values()))):
            yield {code: first[code] + rank for code, each in self.values.items() if rank < len(each)}

    def _valid(self, code: pl.Expr, day: pl.Expr, places: dict[str, int]) -> pl.Expr:
        place = code.replace_strict(list(places), list(places.values()), default=None, return_dtype=pl.UInt32)
        since, until = (
            pl.lit(pl.Series(days, dtype=pl.Date)).gather(place)
            for days in ([each.since for each in self.meanings], [each.until for each in self.meanings])
        )
        begun, not_over = since.is_null() | (since <= day), until.is_null() | (until >= day)
        return pl.when(begun & not_over).then(place)


class CodeLists:
    """The lists under `mappings/codes/`, each read when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Codes] = {}

    def named(self, name: str) -> Codes:
        """Return the list `name`.

        Raises:
            ValueError: when there is no such list; the message names a close one.
            ConfigError: when the list itself is wrong.
        """
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def content(self) -> dict[str, Any]:
        """Return the content of the lists read so far, by name, ready for JSON."""
        return {
            name: {
                code: [each.model_dump(mode="json") for each in meanings]
                for code, meanings in codes.values.items()
            }
            for name, codes in sorted(self._read.items())
        }

    def _load(self, name: str) -> Codes:
        known = sorted(path.stem for path in self._folder.glob("*.yaml"))
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"write {self._folder / name}.yaml"
            raise ValueError(f"no code list is called {name!r}; {advice}")
        document = CodeList.load(self._folder / f"{name}.yaml")
        codes = Codes(dict(document.values))
        kinds = {type(meaning.means) for meaning in codes.meanings if meaning.means is not None}
        if len(kinds) != 1:
            place = document.where("values")
            raise ConfigError(f"{place}: values: must be all texts or all booleans, and not all null")
        return codes
