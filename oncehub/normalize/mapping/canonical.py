"""Checks canonical frames against their schemas: required attributes, patterns and listed values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import polars as pl

from oncehub.config.entities import Attribute, Entity
from oncehub.errors import ConfigError
from oncehub.normalize.checks import KEY_BYTES, TEXT_BYTES, Check

DATA_TYPES: Final[dict[str, pl.DataType]] = {
    "text": pl.String(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "boolean": pl.Boolean(),
}


def data_type(attribute: Attribute) -> pl.DataType:
    """Return the column type of an attribute; a composite is a struct of texts."""
    if attribute.type == "object":
        return pl.Struct(dict.fromkeys(attribute.members, pl.String()))
    return DATA_TYPES[attribute.type]


def canonical_checks(entity: Entity, made: dict[str, bool], required: Collection[str]) -> list[Check]:
    """Build the checks that a frame of `entity` must pass.

    Args:
        entity: the entity.
        made: the attributes and members that rules make, and whether by a code list, whose meanings were
            compared with the schema when the mapping was compiled.
        required: the attributes that no row may lack.

    Raises:
        ConfigError: when Polars cannot use a pattern of the schema.
    """
    checks = [
        Check(pl.col(name).is_null(), "canonical", "required attribute is missing", entity.qualified(name))
        for name in required
    ]
    if entity.item_key and entity.attributes[entity.item_key].type == "text":
        too_long = pl.col(entity.item_key).str.len_bytes() > KEY_BYTES
        path = entity.qualified(entity.item_key)
        checks.append(Check(too_long, "canonical", "the key is too long", path))
    for target, value in _free_texts(entity, made):
        checks += _text_checks(value, part_schema(entity, target), entity.qualified(target))
    return checks


def storable_checks(entity: Entity, made: dict[str, bool]) -> list[Check]:
    """Build the checks for U+0000, which PostgreSQL's text cannot hold: one would fail the whole batch."""
    return [
        Check(value.str.contains("\0", literal=True), "canonical", "holds U+0000", entity.qualified(target))
        for target, value in _free_texts(entity, made)
    ]


def _free_texts(entity: Entity, made: dict[str, bool]) -> Iterator[tuple[str, pl.Expr]]:
    for target, coded in made.items():
        name, _, member = target.partition(".")
        if not coded and entity.attributes[name].type in ("text", "object"):
            yield target, pl.col(name).struct.field(member) if member else pl.col(name)


def part_schema(entity: Entity, target: str) -> dict[str, Any]:
    """Return the schema of an attribute, or of `attribute.member`."""
    name, _, member = target.partition(".")
    part: dict[str, Any] = entity.schema["properties"][name]
    return part["properties"][member] if member else part


def _text_checks(value: pl.Expr, part: dict[str, Any], path: str) -> Iterator[Check]:
    too_long = value.str.len_bytes() > TEXT_BYTES
    yield Check(too_long, "canonical", f"is longer than {TEXT_BYTES} bytes", path)
    if pattern := part.get("pattern"):
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.PolarsError:
            raise ConfigError(f"{path}: pattern {pattern!r} cannot be used; write a simpler one") from None
        yield Check(~value.str.contains(pattern), "canonical", "does not match the schema's pattern", path)
    if values := [item for item in part.get("enum", ()) if item is not None]:
        yield Check(~value.is_in(values), "canonical", "is none of the schema's values", path)
