"""Finds what a change of a contract would break, before the new contract is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from oncehub.config.syntax.paths import steps_of
from oncehub.errors import ConfigError
from oncehub.normalize.contract.contract import Contract, Node
from oncehub.normalize.definition import Definition
from oncehub.normalize.mapping.compiled import MappingCompiler
from oncehub.normalize.mapping_gaps import gaps
from oncehub.normalize.named_fields import absence_faults, field_faults, named_paths


def breaking_changes(old: Contract, new: Contract, definition: Definition) -> list[str]:
    """List what of a mapping and a connector works with the old contract and fails with the new one.

    These are fields they read that are gone or have another type, listed values that the mapping cannot read,
    and fields that every record needs but the new contract does not require.

    Args:
        old: the contract that the files of `definition` were written for.
        new: the contract that replaces it.
        definition: connector and mapping; its own contract is not used.

    Returns:
        One line for each change; empty where nothing breaks.

    Raises:
        ConfigError: when the mapping does not even fit the old contract.
    """
    before, after = replace(definition, contract=old), replace(definition, contract=new)
    changed = list(_changed_fields(old, new, _read_paths(before)))
    return changed or [fault for fault in _faults(after) if fault not in set(_faults(before))]


def _read_paths(definition: Definition) -> list[str]:
    compiler = _compiler(definition)
    compiler.compile()
    return sorted(compiler.used | set(named_paths(definition.connector, definition.name)))


def _changed_fields(old: Contract, new: Contract, paths: list[str]) -> Iterator[str]:
    for path in paths:
        was, now = _reached(old, path), _reached(new, path)
        if was is None:
            continue
        if now is None:
            yield f"{path}: is no longer in the contract, but is read"
        elif old.kinds(was) != new.kinds(now):
            yield f"{path}: was {_words(old, was)}, is now {_words(new, now)}, and is read"


def _faults(definition: Definition) -> list[str]:
    wrong = field_faults(definition.connector, definition.name, definition.contract)
    try:
        _compiler(definition).compile()
    except ConfigError as error:
        wrong += str(error).splitlines()
    if wrong:
        return wrong
    return [
        *absence_faults(definition.connector, definition.name, definition.contract),
        *(f"{'.'.join(gap.keys)}: {gap.fault}" for gap in gaps(definition)),
    ]


def _compiler(definition: Definition) -> MappingCompiler:
    return MappingCompiler(
        definition.mapping, definition.contract, definition.entities, definition.vocabulary
    )


def _reached(contract: Contract, path: str) -> Node | None:
    """Return the schema at a path, which continues in the items of a list."""
    node = contract.resolve(contract.schema)
    for name in steps_of(path):
        while "array" in contract.kinds(node):
            node = contract.items(node)
        if not isinstance(name, str):
            continue
        if name not in node.get("properties", {}):
            return None
        node = contract.resolve(node["properties"][name])
    return node


def _words(contract: Contract, node: Node) -> str:
    return " or ".join(sorted(contract.kinds(node))) or "of no stated type"
