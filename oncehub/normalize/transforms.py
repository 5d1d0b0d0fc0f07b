"""The transforms that a mapping may name: functions from expression to expression, over whole columns."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from oncehub.model.mapping import Transform as Written
from oncehub.normalize import addresses, contacts, dates, identifiers, letters

Change = Callable[[pl.Expr], pl.Expr]


@dataclass(frozen=True)
class Transform:
    """A named change of a text column.

    Attributes:
        function: takes the expression and the mapping's arguments; null out for a value it cannot read.
        null_is_meant: null out means that the value says nothing here, which is no failure.
    """

    function: Callable[..., pl.Expr]
    null_is_meant: bool = False

    def with_arguments(self, arguments: tuple[Any, ...]) -> Change:
        """Fix the arguments.

        Raises:
            ValueError: when the transform does not take them.
        """
        try:
            inspect.signature(self.function).bind(pl.lit(None), *arguments)
        except TypeError:
            raise ValueError(f"takes {_shown_parameters(self.function)}") from None
        self.function(pl.lit("", dtype=pl.String), *arguments)
        return lambda value: self.function(value, *arguments)


TRANSFORMS: Final = {
    **{
        function.__name__: Transform(function)
        for function in (
            letters.nfc,
            letters.squeeze,
            letters.upper,
            letters.lower,
            letters.tcvn3,
            identifiers.digits,
            identifiers.personal_id,
            identifiers.national_id_9,
            identifiers.tax_code,
            dates.partial_date,
            dates.date,
            dates.datetime,
            contacts.phone_vn,
            contacts.email,
            addresses.edition_as_of,
        )
    },
    **{
        function.__name__: Transform(function, null_is_meant=True)
        for function in (identifiers.only_12_digits, identifiers.not_12_digits)
    },
}


def named(written: Written) -> tuple[str, Change, bool]:
    """Return the name, the change and `null_is_meant` of a transform as a mapping writes it.

    Raises:
        ValueError: when the name is unknown or the arguments do not fit; says what to write instead.
    """
    name, arguments = _parted(written)
    if name not in TRANSFORMS:
        close = difflib.get_close_matches(name, TRANSFORMS, n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"choose of {', '.join(sorted(TRANSFORMS))}"
        raise ValueError(f"no transform is called {name!r}; {advice}")
    chosen = TRANSFORMS[name]
    try:
        return name, chosen.with_arguments(arguments), chosen.null_is_meant
    except ValueError as fault:
        raise ValueError(f"transform {name}: {fault}") from None


def _parted(written: Written) -> tuple[str, tuple[Any, ...]]:
    if isinstance(written, str):
        return written, ()
    if len(written) != 1:
        raise ValueError("write one transform an item: name, or {name: arguments}")
    ((name, arguments),) = written.items()
    return name, tuple(arguments) if isinstance(arguments, list) else (arguments,)


def _shown_parameters(function: Callable[..., pl.Expr]) -> str:
    return ", ".join(str(parameter) for parameter in list(inspect.signature(function).parameters)[1:]) or (
        "no arguments"
    )
