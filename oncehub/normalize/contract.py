"""Contracts: the JSON Schemas that a stream's records must meet, and where its fields are found in them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from oncehub.model.entities import read_schema
from oncehub.normalize.checks import Fault

Node = dict[str, Any]


class UnknownPath(ValueError):
    """A path leads to nothing that the contract knows; the message says what it may have meant."""


@dataclass(frozen=True)
class Contract:
    """A JSON Schema 2020-12 of one stream's records."""

    schema: Node

    def resolve(self, node: Node) -> Node:
        """Follow a `$ref` to `#/$defs/<name>`."""
        while reference := node.get("$ref"):
            node = self.schema["$defs"][reference.rpartition("/")[2]]
        return node

    def kinds(self, node: Node) -> set[str]:
        """The JSON types a node allows, null left out."""
        stated = self.resolve(node).get("type", [])
        return ({stated} if isinstance(stated, str) else set(stated)) - {"null"}

    def items(self, node: Node) -> Node:
        """The schema of a list's items."""
        return self.resolve(self.resolve(node).get("items", {}))

    def at(self, path: str, start: Node | None = None) -> Node:
        """Return the schema of the field at a dotted path, from the record or from `start`.

        Raises:
            UnknownPath: when the contract describes no such field, or a list lies on the way.
        """
        node = self.resolve(self.schema if start is None else start)
        done: list[str] = []
        for name in path.split("."):
            properties = node.get("properties", {})
            if name not in properties:
                raise UnknownPath(_advice(done, name, properties, self.kinds(node)))
            node = self.resolve(properties[name])
            done.append(name)
        return node


class ContractCheck:
    """The contract compiled for the hot path."""

    def __init__(self, schema: Node) -> None:
        self._validator = jsonschema_rs.validator_for(schema)
        self.holds = self._validator.is_valid

    def fault(self, row: int, record: Any) -> Fault:
        """Describe the first thing that breaks the contract, by keyword and path, without any value."""
        error = next(iter(self._validator.iter_errors(record)))
        missing = getattr(error.kind, "property", None) if error.kind.name == "required" else None
        path = ".".join(str(step) for step in (*error.instance_path, *([missing] if missing else [])))
        return Fault(row, "contract", f"breaks {error.kind.name!r} of the contract", path)


def load_contract(path: Path) -> Contract:
    """Read a contract.

    Raises:
        ConfigError: when the file is absent, or no valid JSON Schema 2020-12.
    """
    return Contract(read_schema(path))


def closed_schema(node: Any) -> Any:
    """A copy of a schema in which every object refuses the fields it does not describe."""
    if isinstance(node, list):
        return [closed_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: closed_schema(value) for key, value in node.items()}
    return {**copy, "additionalProperties": False} if isinstance(node.get("properties"), dict) else copy


def only(contract: Contract, paths: tuple[str, ...]) -> Node:
    """A schema that asks for the fields at `paths` alone: what a deleted record must still state."""
    schema: Node = {"$schema": contract.schema["$schema"], "type": "object"}
    if "$defs" in contract.schema:
        schema["$defs"] = contract.schema["$defs"]
    for path in paths:
        node = schema
        *outer, last = path.split(".")
        for name in outer:
            node = _required(node, name, {"type": "object"})
        _required(node, last, contract.at(path))
    return schema


def equals(path: str, value: str | bool | int) -> Node:
    """A schema that only an object with this value at `path` meets."""
    node: Node = {"const": value}
    for name in reversed(path.split(".")):
        node = {"type": "object", "required": [name], "properties": {name: node}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **node}


def _required(node: Node, name: str, part: Node) -> Node:
    node.setdefault("required", []).append(name)
    found: Node = node.setdefault("properties", {}).setdefault(name, part)
    return found


def _advice(done: list[str], name: str, known: dict[str, Any], kinds: set[str]) -> str:
    if "array" in kinds:
        return f"{'.'.join(done)} is a list; use each or pick"
    close = difflib.get_close_matches(name, known, n=1)
    return f"the contract knows no field {'.'.join([*done, name])!r}" + (
        f"; did you mean {'.'.join([*done, close[0]])!r}?" if close else "; add it to the contract"
    )
