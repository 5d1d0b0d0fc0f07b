"""Infers a contract from samples: fields, their types, and the fields that every record has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from oncehub.anonymisation.anonymiser import DEEPEST, names_somebody
from oncehub.normalize.contract.contract import Node

_JSON_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}
_ORDER = ["object", "array", "string", "integer", "number", "boolean", "null"]
_ENOUGH = 20
"""The minimum number of values for a pattern."""


@dataclass
class Seen:
    """The values seen at one path of the records."""

    times: int = 0
    kinds: set[str] = field(default_factory=set)
    properties: dict[str, Seen] = field(default_factory=dict)
    items: Seen | None = None
    objects: int = 0
    digits: set[int] | None = field(default_factory=set)
    """Lengths of the texts while all of them are digits; None once one is not."""

    def add(self, value: Any, depth: int = 0) -> None:
        """Add one value; below a depth that no real record reaches, only its type is recorded."""
        self.times += 1
        self.kinds.add(_JSON_TYPES[type(value)])
        if depth > DEEPEST:
            return
        if isinstance(value, dict):
            self.objects += 1
            for name in filter(_is_name, value):
                part = value[name]
                self.properties.setdefault(name, Seen()).add(part, depth + 1)
        elif isinstance(value, list):
            self.items = self.items or Seen()
            for item in value:
                self.items.add(item, depth + 1)
        elif isinstance(value, str):
            self._add_text(value)

    def schema(self) -> Node:
        """Return the JSON Schema that all seen values meet."""
        kinds = self.kinds - {"integer"} if "number" in self.kinds else self.kinds
        named = sorted(kinds, key=_ORDER.index)
        node: Node = {"type": named[0] if len(named) == 1 else named}
        if self.objects:
            node |= self._object()
        if self.items and self.items.times:
            node["items"] = self.items.schema()
        if self.digits and len(self.digits) == 1 and self.times >= _ENOUGH:
            (length,) = self.digits
            node["pattern"] = "^[0-9]$" if length == 1 else f"^[0-9]{{{length}}}$"
        return node

    def _object(self) -> Node:
        required = [name for name, part in self.properties.items() if part.times == self.objects]
        properties = {name: part.schema() for name, part in self.properties.items()}
        return {"required": required, "properties": properties} if required else {"properties": properties}

    def _add_text(self, text: str) -> None:
        if not re.fullmatch(r"[0-9]+", text):
            self.digits = None
        elif self.digits is not None:
            self.digits.add(len(text))


def inferred_contract(title: str, records: Iterable[Any]) -> Node:
    """Return a JSON Schema 2020-12 that every sample meets; nothing else may be concluded from it.

    A text that was always of so many digits gets a pattern; no list of values is ever concluded. A name that
    is data itself, as in a map by personal number, is left out, and so is one that cannot be printed.
    """
    seen = Seen()
    for record in records:
        seen.add(record)
    shape = seen.schema() if seen.times else {"type": "object", "properties": {}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **shape}


def _is_name(key: str) -> bool:
    return key.isprintable() and not names_somebody(key)
