"""Whether canonical frames keep to their schemas: required attributes, patterns and lists of values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from oncehub.model.entities import Attribute, Entity
from oncehub.model.errors import ConfigError
from oncehub.normalize.checks import Check

DATA_TYPES: Final[dict[str, pl.DataType]] = {
    "text": pl.String(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "boolean": pl.Boolean(),
}


def data_type(attribute: Attribute) -> pl.DataType:
    """The column type of an attribute; a composite is a struct of texts."""
    if attribute.type == "object":
        return pl.Struct(dict.fromkeys(attribute.members, pl.String()))
    return DATA_TYPES[attribute.type]


def canonical_checks(entity: Entity) -> list[Check]:
    """The checks that a frame of `entity`, with all its attributes, must pass.

    Raises:
        ConfigError: when a pattern of the schema is no regular expression here.
    """
    checks: list[Check] = []
    for name, attribute in entity.attributes.items():
        path = f"{entity.name}.{name}"
        if name in entity.required:
            checks.append(Check(pl.col(name).is_null(), "canonical", "required attribute is missing", path))
        if attribute.type == "text":
            checks += _text_checks(pl.col(name), entity.schema["properties"][name], path)
        for member in attribute.members:
            part = entity.schema["properties"][name]["properties"][member]
            checks += _text_checks(pl.col(name).struct.field(member), part, f"{path}.{member}")
    return checks


def _text_checks(value: pl.Expr, part: dict[str, Any], path: str) -> Iterator[Check]:
    # PostgreSQL's text cannot hold U+0000: one such value would refuse the whole batch.
    yield Check(value.str.contains("\0", literal=True), "canonical", "holds the character U+0000", path)
    if pattern := part.get("pattern"):
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.PolarsError:
            raise ConfigError(f"{path}: pattern {pattern!r} cannot be used; write a simpler one") from None
        yield Check(~value.str.contains(pattern), "canonical", "does not match the schema's pattern", path)
    if values := [item for item in part.get("enum", ()) if item is not None]:
        yield Check(~value.is_in(values), "canonical", "is none of the schema's values", path)
