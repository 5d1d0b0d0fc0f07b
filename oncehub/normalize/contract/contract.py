"""Contracts: the JSON Schemas that a stream's records must meet, and look-up of fields in them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from oncehub.config.entities import read_schema
from oncehub.config.syntax.paths import Step, path_through, steps_of
from oncehub.errors import ConfigError

Node = dict[str, Any]

_DEFINITION = "#/$defs/"
_MOST_SCHEMAS = 50_000
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class UnknownPath(ValueError):
    """A path names no field of the contract; the message suggests one."""


@dataclass(frozen=True)
class Contract:
    """A JSON Schema 2020-12 of one stream's records; every `$ref` in it is `#/$defs/<name>`."""

    schema: Node

    def resolve(self, node: Node) -> Node:
        """Follow a `$ref`; a schema that is true or false states nothing of what is in it."""
        if isinstance(node, bool):
            return {}
        while reference := node.get("$ref"):
            node = self.schema["$defs"][definition(reference)]
        return node

    def kinds(self, node: Node) -> set[str]:
        """The JSON types a node allows, null left out."""
        return self.types(node) - {"null"}

    def types(self, node: Node) -> set[str]:
        """The JSON types a node allows; empty where it states none."""
        stated = self.resolve(node).get("type", [])
        return {stated} if isinstance(stated, str) else set(stated)

    def items(self, node: Node) -> Node:
        """The schema of a list's items."""
        return self.resolve(self.resolve(node).get("items", {}))

    def at(self, path: str, start: Node | None = None) -> Node:
        """Return the schema of the field at a dotted path, from the record or from `start`.

        Raises:
            UnknownPath: when the contract describes no such field, or a list lies on the way.
        """
        *_, (_, node) = self.steps(path, start)
        return node

    def steps(self, path: str, start: Node | None = None) -> Iterator[tuple[bool, Node]]:
        """Yield, for every field on a dotted path, whether it is required, and its schema.

        Raises:
            UnknownPath: as `at`.
        """
        node = self.resolve(self.schema if start is None else start)
        done: list[Step] = []
        for name in steps_of(path):
            if not isinstance(name, str):
                node = self._item(node, done, path)
                done.append(name)
                yield False, node
                continue
            properties = node.get("properties", {})
            if name not in properties:
                raise UnknownPath(_advice(done, name, path, properties, self.kinds(node)))
            required = name in node.get("required", ())
            node = self.resolve(properties[name])
            done.append(name)
            yield required, node

    def field(self, name: str, node: Node) -> Node:
        """Return the schema of a field of an object by its name, which may be no step of a dotted path."""
        return self.at(path_through(name), node)

    def _item(self, node: Node, done: list[Step], path: str) -> Node:
        if "array" not in self.kinds(node):
            where = path_through(*done) if done else path
            raise UnknownPath(f"{where} is no list in the contract; name one of its fields")
        return self.items(node)

    def assures(self, path: str, start: Node | None = None) -> bool:
        """Tell whether every record has a value at a dotted path: all fields on it are never null."""
        return all(
            required and self.types(node) and "null" not in self.types(node)
            for required, node in self.steps(path, start)
        )


def definition(reference: str) -> str:
    """The name in a `$ref` to `#/$defs/<name>`."""
    return reference.removeprefix(_DEFINITION)


def load_contract(path: Path) -> Contract:
    """Read a contract.

    Raises:
        ConfigError: when the file is absent, no valid JSON Schema 2020-12, or has a `$ref` without a target.
    """
    schema = read_schema(path)
    known = schema.get("$defs", {})
    for reference in _references(schema):
        if not reference.startswith(_DEFINITION) or definition(reference) not in known:
            raise ConfigError(
                f"{path}: $ref: {reference!r} has no target; write {_DEFINITION}<name> of this file"
            )
    _check_growth(path, schema)
    try:
        jsonschema_rs.Draft202012Validator(schema)
    except ValueError as error:
        # Of a pattern, for example, that is none or would need too much memory.
        raise ConfigError(f"{path}: cannot be used to check records: {str(error).splitlines()[0]}") from None
    return Contract(schema)


def _check_growth(path: Path, schema: Node) -> None:
    """Refuse references that lead in a circle, or fan out without end: reading follows them.

    Raises:
        ConfigError: with what to write instead.
    """
    sizes: dict[str, int] = {}

    def size_of(node: Any, within: tuple[str, ...]) -> int:
        parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        size = 1 + sum(size_of(part, within) for part in parts if isinstance(part, dict | list))
        name = _target(node)
        if name is not None and name not in within:
            if name not in sizes:
                sizes[name] = size_of(schema["$defs"][name], (*within, name))
            size += sizes[name]
        return size

    for name in schema.get("$defs", {}):
        seen, following = {name}, _target(schema["$defs"][name])
        while following is not None:
            if following in seen:
                raise ConfigError(f"{path}: $defs.{name}: its $ref leads back to itself; write it out")
            seen.add(following)
            following = _target(schema["$defs"][following])
    if (size := size_of(schema, ())) > _MOST_SCHEMAS:
        raise ConfigError(
            f"{path}: with its references followed it has {size} parts, more than {_MOST_SCHEMAS}; describe"
            " only the fields that are read"
        )


def _target(node: Any) -> str | None:
    """The name of the definition that a node refers to, if it does."""
    reference = node.get("$ref") if isinstance(node, dict) else None
    return definition(reference) if isinstance(reference, str) else None


def only(contract: Contract, paths: tuple[str, ...]) -> Contract:
    """Build the contract of deleted records: only the fields at `paths` are required."""
    schema: Node = {"$schema": contract.schema["$schema"], "type": "object"}
    if "$defs" in contract.schema:
        schema["$defs"] = contract.schema["$defs"]
    for path in paths:
        _require(schema, path, contract.at(path))
    return Contract(schema)


def of_kinds(kinds: Mapping[str, tuple[str, ...]]) -> Contract:
    """Build a contract that requires only the fields at these paths, each of one of its JSON types."""
    schema: Node = {"$schema": _DIALECT, "type": "object"}
    for path, types in kinds.items():
        _require(schema, path, {"type": list(types)})
    return Contract(schema)


def _require(node: Node, path: str, part: Node) -> None:
    """Require the fields on a path, as far as no list lies on it."""
    *outer, last = steps_of(path)
    for name in outer:
        if not isinstance(name, str):
            return
        node = _required(node, name, {"type": "object"})
    if isinstance(last, str):
        _required(node, last, part)


def _required(node: Node, name: str, part: Node) -> Node:
    required = node.setdefault("required", [])
    if name not in required:
        required.append(name)
    found: Node = node.setdefault("properties", {}).setdefault(name, part)
    return found


def _references(node: Any) -> Iterator[str]:
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        yield node["$ref"]
    for part in parts:
        yield from _references(part)


def _advice(done: list[Step], name: str, path: str, known: dict[str, Any], kinds: set[str]) -> str:
    if "array" in kinds:
        return f"{path_through(*done)} is a list; use each or pick"
    # A dotted path may have been meant as the name of one field.
    rest = ".".join(path.split(".")[len(done) :])
    close = [rest] if rest in known else difflib.get_close_matches(name, known, n=1)
    return f"the contract knows no field {path_through(*done, name)!r}" + (
        f"; did you mean {path_through(*done, close[0])!r}?" if close else "; add it to the contract"
    )
