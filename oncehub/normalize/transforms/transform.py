"""Transforms: named functions over text columns, described by their docstrings."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, ParamSpec

import polars as pl

from oncehub.config.mapping import Transform as Written

Change = Callable[[pl.Expr], pl.Expr]
_P = ParamSpec("_P")

_EXAMPLE: Final = re.compile(r'(?:(\{.*\}): )?(".*") -> (".*"|null|failure)')
_SOURCE: Final = re.compile(r"Source: (.+?)\.?\s*(?:\n\n|$)", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """An example of a transform: one value and its result.

    Attributes:
        written: the transform as a mapping writes it.
        value: the source's text.
        result: the result as text; None for no value.
        fails: whether no value means a failure.
    """

    written: Written
    value: str
    result: str | None
    fails: bool

    def __str__(self) -> str:
        """As docstrings write it."""
        given = f"{json.dumps(self.value, ensure_ascii=False)} -> {self._shown_result()}"
        return (
            given
            if isinstance(self.written, str)
            else f"{json.dumps(self.written, ensure_ascii=False)}: {given}"
        )

    def _shown_result(self) -> str:
        if self.result is None:
            return "failure" if self.fails else "null"
        return json.dumps(self.result, ensure_ascii=False)


@dataclass(frozen=True)
class TransformEntry:
    """The description of a transform in the catalogue.

    Attributes:
        parameters: as a mapping writes them, `name` or `name = default`; `*name` takes several.
        source: the decree or standard it follows, if any.
    """

    name: str
    parameters: tuple[str, ...]
    summary: str
    source: str | None
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Transform(Generic[_P]):
    """A named change of a text column.

    Attributes:
        function: takes the expression and the mapping's arguments; returns null for a value it cannot read.
        null_is_meant: whether null means that the value does not apply here, which is no failure.
    """

    function: Callable[_P, pl.Expr]
    null_is_meant: bool = False

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> pl.Expr:
        """Call the function, so that a transform can use another."""
        return self.function(*args, **kwargs)

    @property
    def name(self) -> str:
        """As mappings name it."""
        return self.function.__name__

    def with_arguments(self, arguments: tuple[Any, ...]) -> Change:
        """Fix the arguments.

        Raises:
            ValueError: when the transform does not take them.
        """
        signature = inspect.signature(self.function)
        try:
            bound = signature.bind(pl.lit(None), *arguments)
        except TypeError:
            raise ValueError(f"takes {', '.join(_parameters(signature)) or 'no arguments'}") from None
        _check_texts(bound)
        function: Callable[..., pl.Expr] = self.function
        function(pl.lit("", dtype=pl.String), *arguments)
        return lambda value: function(value, *arguments)

    def entry(self) -> TransformEntry:
        """Read the function's docstring and signature."""
        doc = inspect.getdoc(self.function) or ""
        text, _, examples = doc.partition("Examples:")
        source = _SOURCE.search(text)
        return TransformEntry(
            name=self.name,
            parameters=_parameters(inspect.signature(self.function)),
            summary=_one_line(text.partition("\n\n")[0]),
            source=_one_line(source[1]) if source else None,
            examples=tuple(self._example(line.strip()) for line in examples.splitlines() if line.strip()),
        )

    def _example(self, line: str) -> Example:
        found = _EXAMPLE.fullmatch(line)
        if not found:
            raise ValueError(f'transform {self.name}: write the example {line!r} as "value" -> "result"')
        written, value, result = found.groups()
        return Example(
            written=json.loads(written) if written else self.name,
            value=json.loads(value),
            result=json.loads(result) if result.startswith('"') else None,
            fails=result == "failure",
        )


def transform(function: Callable[_P, pl.Expr]) -> Transform[_P]:
    """Make a transform of a function from expression to expression.

    The function must return null for a value that it cannot read, which rejects the record. The catalogue
    shows the first paragraph of its docstring, its `Source:` and its `Examples:`.
    """
    return Transform(function)


def optional_transform(function: Callable[_P, pl.Expr]) -> Transform[_P]:
    """Like `transform`, but null means that the value does not apply here, and rejects no record."""
    return Transform(function, null_is_meant=True)


def _parameters(signature: inspect.Signature) -> tuple[str, ...]:
    written = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return tuple(str(parameter).replace("=", " = ") for parameter in written[1:])


def _check_texts(bound: inspect.BoundArguments) -> None:
    """Refuse a number or boolean for a text parameter: YAML reads `2024` and `yes` as such."""
    for name, argument in bound.arguments.items():
        wants_text = bound.signature.parameters[name].annotation in ("str", str)
        several = argument if isinstance(argument, tuple) else (argument,)
        if wants_text and not all(isinstance(item, str) for item in several):
            raise ValueError(f"{name} is a text; write it in quotes")


def _one_line(text: str) -> str:
    return " ".join(text.split())
