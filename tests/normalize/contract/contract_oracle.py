"""What becomes of a record, said again in plain Python over the reference implementation of JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from oncehub.config.connector import Contract as Modes

ABSENT = object()


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    # Python's $ also matches before a last line break, JSON Schema's (ECMA-262) does not.
    if isinstance(instance, str) and not re.search(re.sub(r"\$(?=$|\))", r"\\Z", pattern), instance):
        yield ValidationError("pattern")


Oracle = extend(Draft202012Validator, {"pattern": _pattern})
LANDS = ("evolve", "ignore")


@dataclass(frozen=True)
class Verdict:
    """`outcome` is `stops`, `rejected` or `lands`; `noted` holds (path, kind, found)."""

    outcome: str
    record: Any
    noted: frozenset[tuple[str, str, str]]


def judge(schema: dict[str, Any], modes: Modes, record: Any) -> Verdict:
    """Judge a record by a schema of types, properties, items, `$ref` and keywords of scalars."""
    validator = Oracle(schema)
    changed = {
        (tuple(error.absolute_path), "changed_type", kind_of(error.instance))
        for error in validator.iter_errors(record)
        if error.validator == "type" and error.absolute_path
    }
    if changed and modes.changed_type in LANDS:
        record = read(schema, schema, record)
    differences, broken = set(changed), False
    for error in validator.iter_errors(record):
        place = tuple(error.absolute_path)
        if error.validator == "required":
            differences |= {
                ((*place, name), "missing", "absent")
                for name in error.validator_value
                if name not in error.instance
            }
        elif error.validator != "type" or not place:
            broken = True
    differences |= set(unknown(schema, schema, record, ()))
    chosen = {getattr(modes, kind) for _, kind, _ in differences}
    noted = frozenset(
        (path(place), kind, found) for place, kind, found in differences if getattr(modes, kind) == "evolve"
    )
    if "stop" in chosen:
        return Verdict("stops", None, noted)
    if broken or "quarantine" in chosen:
        return Verdict("rejected", None, noted)
    return Verdict("lands", record, noted)


def read(schema: Any, node: Any, value: Any) -> Any:
    """The value as the node's type, ABSENT where that loses something."""
    node = resolved(schema, node)
    if not any(Oracle({"type": kind}).is_valid(value) for kind in types(node)):
        value = as_another(value, types(node))
        fits = value is not ABSENT and Oracle(node).is_valid(value)
        return value if fits else ABSENT
    if isinstance(value, dict):
        parts = {
            name: read(schema, node["properties"][name], part) if name in node.get("properties", {}) else part
            for name, part in value.items()
        }
        return {name: part for name, part in parts.items() if part is not ABSENT}
    if isinstance(value, list):
        items = [read(schema, node["items"], item) for item in value]
        return [item for item in items if item is not ABSENT]
    return value


def as_another(value: Any, kinds: list[str]) -> Any:
    if type(value) is int and "string" in kinds:
        return f"{value:d}"
    if type(value) is not str or not value or set(value) - set("-.0123456789"):
        return ABSENT
    for kind, made in (("integer", int), ("number", int), ("number", float)):
        try:
            number = made(value)
        except ValueError:
            continue
        fits = -(2**63) <= number < 2**63 if kind == "integer" else float(number) == number
        if kind in kinds and fits and str(number) == value:
            return number
    return ABSENT


def unknown(schema: Any, node: Any, value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, str, str]]:
    node = resolved(schema, node)
    if isinstance(value, dict) and "properties" in node:
        for name, part in value.items():
            if name in node["properties"]:
                yield from unknown(schema, node["properties"][name], part, (*place, name))
            elif name not in node["required"]:
                yield (*place, name), "unknown", kind_of(part)
    if isinstance(value, list) and "items" in node:
        for number, item in enumerate(value):
            yield from unknown(schema, node["items"], item, (*place, number))


def resolved(schema: Any, node: Any) -> Any:
    return schema["$defs"][node["$ref"].split("/")[-1]] if "$ref" in node else node


def types(node: Any) -> list[str]:
    return [node["type"]] if isinstance(node["type"], str) else node["type"]


def kind_of(value: Any) -> str:
    kinds = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    return {**kinds, list: "array", dict: "object"}[type(value)]


def path(place: tuple[Any, ...]) -> str:
    told = ""
    for step in place:
        told += "[]" if isinstance(step, int) else f".{step}" if told else step
    return told
