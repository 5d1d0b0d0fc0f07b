"""Code lists: what a source's codes mean here."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from oncehub.model.errors import ConfigError
from oncehub.model.mapping import CodeList


@dataclass(frozen=True)
class Codes:
    """A code list as an expression.

    Attributes:
        values: source code -> canonical value, all texts or all booleans; null where the
            source does not know.
    """

    values: dict[str, str | bool | None]

    def decode(self, value: pl.Expr) -> pl.Expr:
        """Replace codes by their meaning; an unknown code gives null."""
        flags = any(isinstance(meaning, bool) for meaning in self.values.values())
        return value.replace_strict(
            list(self.values),
            list(self.values.values()),
            default=None,
            return_dtype=pl.Boolean if flags else pl.String,
        )

    def unknown(self, value: pl.Expr) -> pl.Expr:
        """Whether a code is not in the list."""
        return value.is_not_null() & ~value.is_in(list(self.values))


class CodeLists:
    """The lists under `mappings/codes/`, read when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Codes] = {}

    def named(self, name: str) -> Codes:
        """Return the list `name`.

        Raises:
            ValueError: when there is no such list; names a close one.
            ConfigError: when the list itself is wrong.
        """
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def _load(self, name: str) -> Codes:
        known = sorted(path.stem for path in self._folder.glob("*.yaml"))
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"write {self._folder / name}.yaml"
            raise ValueError(f"no code list is called {name!r}; {advice}")
        document = CodeList.load(self._folder / f"{name}.yaml")
        kinds = {type(value) for value in document.values.values() if value is not None}
        if len(kinds) != 1:
            place = document.where("values")
            raise ConfigError(f"{place}: values: must be all texts or all booleans, and not all null")
        return Codes(dict(document.values))
