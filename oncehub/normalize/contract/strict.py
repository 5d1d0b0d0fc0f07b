"""The schema that records are validated by: the contract, as strict as the connector's modes require."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from oncehub.normalize.contract.contract import Contract, Node, definition

ITEM: Final = "[]"
"""Step of a path that stands for any item of a list."""

MASKED: Final = "*"
"""Step of a path that stands for any field that the contract does not name."""

_NAMED_PARTS: Final = frozenset({"properties", "patternProperties"})
_ANNOTATIONS: Final = frozenset({"title", "description", "$comment", "examples", "default", "deprecated"})
_INT64: Final = {"minimum": -(2**63), "maximum": 2**63 - 1}


def strict_schema(contract: Contract, *, closed: bool, demanding: bool) -> Node:
    """Return a copy of the contract's schema, a tree in which `admit` can loosen one place.

    Args:
        contract: the contract, which is not changed.
        closed: whether objects refuse fields that the contract does not name, whatever it says about them;
            else they take them. An object that names none, or has a schema for other fields, stays as it is.
        demanding: whether required fields are required.

    Integers must fit 64 bits, as frames hold no others.
    """
    return _Strictness(contract, closed, demanding).tree()


def admit(schema: Node, steps: Sequence[str], *, missing: bool) -> bool:
    """Make a strict schema accept an unknown field, or the absence of a required one.

    A step `*` at the end admits every unknown field of its object.

    Returns:
        Whether the schema changed; it does not where the place is reached through `allOf` and the like.
    """
    node, last = _inside(schema, steps[:-1]), steps[-1]
    if node is None:
        return False
    if missing:
        required = node.get("required", [])
        node["required"] = [name for name in required if name != last]
        return last in required
    if node.get("additionalProperties") is not False:
        return False
    if last == MASKED:
        del node["additionalProperties"]
    else:
        node["properties"][last] = True
    return True


def _inside(schema: Node, steps: Sequence[str]) -> Node | None:
    node = schema
    for step in steps:
        unnamed = node.get("additionalProperties")
        inner = node.get("items") if step == ITEM else node.get("properties", {}).get(step, unnamed)
        if not isinstance(inner, dict):
            return None
        node = inner
    return node


@dataclass(frozen=True)
class _Strictness:
    contract: Contract
    closed: bool
    demanding: bool

    def tree(self) -> Node:
        # References from parts that are not copied keep their definitions as written.
        kept = {key: self.contract.schema[key] for key in ("$defs",) if key in self.contract.schema}
        tree: Node = self._of({**self.contract.schema, "$defs": {}}, ())
        tree = {**tree, **kept} if kept else {key: part for key, part in tree.items() if key != "$defs"}
        # A record is an object, also where the contract does not say so.
        return {"type": "object", **tree}

    def _of(self, node: Any, within: tuple[str, ...]) -> Any:
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._referred(node, within)
        copy = {key: self._part(key, part, within) for key, part in node.items()}
        self._open_or_close(copy, node)
        if not self.demanding:
            copy.pop("required", None)
        if self.contract.kinds(node) == {"integer"}:
            copy = {**_INT64, **copy}
        return copy

    def _part(self, key: str, part: Any, within: tuple[str, ...]) -> Any:
        if key in _NAMED_PARTS:
            return {name: self._of(inner, within) for name, inner in part.items()}
        if key == "prefixItems":
            return [self._of(inner, within) for inner in part]
        return self._of(part, within) if key in ("items", "additionalProperties") else part

    def _referred(self, node: Node, within: tuple[str, ...]) -> Node:
        name = definition(node["$ref"])
        beside = {key: part for key, part in node.items() if key != "$ref" and key not in _ANNOTATIONS}
        if name in within:
            return node
        if beside:
            beside["allOf"] = [*beside.get("allOf", ()), {"$ref": node["$ref"]}]
        found: Node = self._of(beside or self.contract.schema["$defs"][name], (*within, name))
        return found

    def _open_or_close(self, copy: Node, node: Node) -> None:
        unnamed = node.get("additionalProperties", True)
        if not self.closed and unnamed is False:
            del copy["additionalProperties"]
        named = set(self._named(node, frozenset()))
        if self.closed and named and isinstance(unnamed, bool):
            copy["properties"] = {**dict.fromkeys(sorted(named), True), **copy.get("properties", {})}
            copy["additionalProperties"] = False

    def _named(self, node: Any, seen: frozenset[str]) -> Iterator[str]:
        """Yield the fields that a schema describes or requires, in `allOf` and the like too."""
        if not isinstance(node, dict):
            return
        yield from node.get("properties", ())
        yield from node.get("required", ())
        if (reference := node.get("$ref")) and reference not in seen:
            yield from self._named(self.contract.resolve({"$ref": reference}), seen | {reference})
        for part in _beside(node):
            yield from self._named(part, seen)


def _beside(node: Node) -> Iterator[Any]:
    """Yield the further schemas that apply at the same place."""
    for key in ("allOf", "anyOf", "oneOf"):
        yield from node.get(key, ())
    for key in ("if", "then", "else"):
        yield node.get(key)
    yield from node.get("dependentSchemas", {}).values()
