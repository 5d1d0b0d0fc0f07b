"""The canonical entities, read from `schemas/canonical/*.json`: every step uses their attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import orjson
from jsonschema import Draft202012Validator, SchemaError

from oncehub.errors import ConfigError
from oncehub.files import check_levels, read_bounded

PERSON = "person"
"""The entity of golden records."""

AttributeType = Literal["text", "date", "timestamp", "boolean", "object"]

_DATABASE_TYPES: dict[AttributeType, str] = {
    "text": "text",
    "date": "date",
    "timestamp": "timestamp with time zone",
    "boolean": "boolean",
    "object": "jsonb",
}


@dataclass(frozen=True)
class Attribute:
    """One attribute of an entity.

    Attributes:
        type: how it is stored; `object` is a composite with text `members`.
        npdb: number of the data item in Luật Căn cước 26/2023/QH15 Điều 9, where it is one.
        sensitive: never shown without need, and encrypted in the database (`x-sensitive`); a text.
        indexed: a sensitive attribute whose values can be found and compared (`x-blind-index`): equal values
            show as equal, so an attribute whose values can be guessed must not have it.
        pattern: regular expression of a text, where the schema has one.
        values: the only values allowed, where the schema lists them.
        coded: its values are codes, which people read by their labels: it has `values`, or `x-coded`.
    """

    name: str
    type: AttributeType
    description: str
    members: tuple[str, ...] = ()
    npdb: int | None = None
    sensitive: bool = False
    indexed: bool = False
    pattern: str | None = None
    values: tuple[str, ...] = ()
    coded: bool = False

    @property
    def database_type(self) -> str:
        """The PostgreSQL type as `format_type` prints it."""
        return _DATABASE_TYPES[self.type]


@dataclass(frozen=True)
class Entity:
    """A canonical entity.

    Attributes:
        item_key: the attribute that identifies an item, where one source record states several; else None.
        required: attributes that a record must have.
    """

    name: str
    attributes: dict[str, Attribute]
    required: tuple[str, ...]
    item_key: str | None
    schema: dict[str, Any]

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the primary key of `record.<name>`."""
        own = (self.item_key,) if self.item_key else ()
        return ("source", "stream", "source_key", *own)

    def qualified(self, attribute: str) -> str:
        """Return the qualified name of an attribute: `person.full_name`."""
        return f"{self.name}.{attribute}"


def qualified(attribute: str) -> str:
    """Return the qualified name of a person's attribute: `person.full_name` of `full_name`."""
    return f"{PERSON}.{attribute}"


def unqualified(name: str) -> str:
    """Return the own name of a person's attribute; the name of anything else stays as it is."""
    return name.removeprefix(f"{PERSON}.")


def load_entities(schemas: Path) -> dict[str, Entity]:
    """Read all canonical entities under `schemas/canonical/`, by name.

    Raises:
        ConfigError: when a schema is not a valid JSON Schema 2020-12, or uses a type without a column type.
    """
    return {path.stem: _load_entity(path) for path in sorted((schemas / "canonical").glob("*.json"))}


def read_schema(path: Path) -> dict[str, Any]:
    """Read and check a JSON Schema file.

    Raises:
        ConfigError: when it cannot be read, is too large or deep, or is no valid JSON Schema 2020-12.
    """
    try:
        text = read_bounded(path)
        schema: dict[str, Any] = orjson.loads(text)
        check_levels(path, schema)
        if not isinstance(schema, dict):
            raise ConfigError(f"{path}: is no JSON object; write the schema between {{ and }}")
        _check(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}:{error.colno}: is not valid JSON: {error.msg}") from None
    except SchemaError as error:
        raise ConfigError(f"{path}: {error.json_path}: {error.message}") from None
    return schema


@lru_cache(maxsize=256)
def _check(text: bytes) -> None:
    """Check a schema against its meta-schema; cached, as it takes a hundred times as long as reading it."""
    Draft202012Validator.check_schema(orjson.loads(text))


def _load_entity(path: Path) -> Entity:
    schema = read_schema(path)
    attributes = {
        name: _attribute(path, name, part, schema.get("x-item-key"))
        for name, part in schema["properties"].items()
    }
    return Entity(
        name=path.stem,
        attributes=attributes,
        required=tuple(schema.get("required", ())),
        item_key=schema.get("x-item-key"),
        schema=schema,
    )


def _attribute(path: Path, name: str, part: dict[str, Any], item_key: str | None) -> Attribute:
    kind, sensitive = _type(path, name, part), part.get("x-sensitive", False)
    if sensitive and (kind != "text" or name == item_key):
        raise ConfigError(
            f"{path}: properties.{name}: x-sensitive needs a text that is not the x-item-key, because it is "
            "encrypted where it is stored; write a date as a string without format, and use another key"
        )
    return Attribute(
        name=name,
        type=kind,
        description=part.get("description", ""),
        members=tuple(part.get("properties", ())),
        npdb=part.get("x-npdb"),
        sensitive=sensitive,
        indexed=part.get("x-blind-index", False),
        pattern=part.get("pattern"),
        values=tuple(value for value in part.get("enum", ()) if value is not None),
        coded="enum" in part or part.get("x-coded", False),
    )


def _type(path: Path, name: str, part: dict[str, Any]) -> AttributeType:
    stated = part.get("type", [])
    kinds = {stated} if isinstance(stated, str) else set(stated)
    match sorted(kinds - {"null"}), part.get("format"):
        case ["string"], "date":
            return "date"
        case ["string"], "date-time":
            return "timestamp"
        case ["string"], None:
            return "text"
        case ["boolean"], None:
            return "boolean"
        case ["object"], None:
            return "object"
        case other, form:
            raise ConfigError(
                f"{path}: properties.{name}: type {other} with format {form} has no column; "
                "use string (with format date or date-time), boolean or object"
            )
