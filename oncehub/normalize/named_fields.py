"""The fields that a connector names of a record, checked against the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from oncehub.model.connector import (
    Connector,
    FlagDeletes,
    SequenceChanges,
    Stream,
    TombstoneDeletes,
    TombstoneStream,
    Updated,
)
from oncehub.normalize.contract import Contract
from oncehub.normalize.statement import Statement

KEY_KINDS: Final = ("string", "integer")
"""The JSON types in which a field of a key comes; numbers and texts count alike."""

_NUMBERED: Final = ("unix", "unix_ms")


@dataclass(frozen=True)
class _Named:
    """A field that `connector.yaml` names at `keys`, and the JSON types of which it must be one."""

    keys: tuple[str | int, ...]
    path: str
    kinds: tuple[str, ...]
    says: str


def field_faults(connector: Connector, name: str, contract: Contract) -> list[str]:
    """What makes a stream unreadable: fields that the contract does not know or gives an impossible type.

    Returns:
        One line a fault, each `file:line:column: what is wrong; what to write`.
    """
    stream = connector.streams[name]
    faults = [(named.keys, fault) for named in _named(stream) for fault in _misfit(named, contract)]
    faults += [*_other_forms(stream), *_other_keys(stream)]
    return [_line(connector, name, keys, fault) for keys, fault in faults]


def absence_faults(connector: Connector, name: str, contract: Contract) -> list[str]:
    """What would reject records every night: fields that each record needs and the contract does not assure.

    The contract must describe every field that `field_faults` asks for.
    """
    stream = connector.streams[name]
    faults = [
        _line(connector, name, named.keys, _absent(named.path, named.says))
        for named in (*_key_and_time(stream), *_of_sequence(stream))
        if not contract.assures(named.path)
    ]
    own = [(name, taken, f"parent.{taken}", False) for taken in (stream.parent.take if stream.parent else ())]
    childrens = [(child, taken, path, True) for child, taken, path in _taken_by_children(connector, name)]
    for child, taken, path, always in (*own, *childrens):
        if fault := _taken_fault(contract, path, always=always):
            faults.append(_line(connector, child, ("parent", "take", taken), fault))
    return faults


def named_paths(connector: Connector, name: str) -> list[str]:
    """Every field of a stream's records that the connector names, for this stream or for its children."""
    own = [named.path for named in _named(connector.streams[name])]
    return [*own, *(path for _, _, path in _taken_by_children(connector, name))]


def _taken_by_children(connector: Connector, name: str) -> Iterator[tuple[str, str, str]]:
    """Child stream, name and path of what children take of this stream's records."""
    for child, stream in connector.streams.items():
        if stream.parent and stream.parent.stream == name:
            for taken, path in stream.parent.take.items():
                yield child, taken, path


def _taken_fault(contract: Contract, path: str, *, always: bool) -> str | None:
    """What is wrong with a field that children take, in the parent's contract or, as `parent.…`, their own."""
    try:
        assured = contract.assures(path)
    except ValueError as fault:
        return str(fault)
    return None if assured or not always else _absent(path, "what children are asked for with")


def _absent(path: str, says: str) -> str:
    return f"{path} may be absent or null; {says} never is, so require it in the contract"


def _named(stream: Stream) -> Iterator[_Named]:
    yield from _key_and_time(stream)
    yield from _of_sequence(stream)
    if isinstance(stream.deletes, FlagDeletes | TombstoneDeletes):
        kinds: dict[type, tuple[str, ...]] = {
            bool: ("boolean",),
            int: ("integer", "number"),
            str: ("string",),
        }
        value = stream.deletes.equals
        yield _Named(("deletes", "field"), stream.deletes.field, kinds[type(value)], f"what equals {value!r}")


def _key_and_time(stream: Stream) -> Iterator[_Named]:
    for place, path in enumerate(stream.key):
        yield _Named(("key", place), path, KEY_KINDS, "a key")
    yield _Named(
        ("updated", "field"), stream.updated.field, time_kinds(stream.updated), "a time of statement"
    )


def _of_sequence(stream: Stream) -> Iterator[_Named]:
    if isinstance(stream.changes, SequenceChanges):
        yield _Named(("changes", "field"), stream.changes.field, ("integer", "string"), "a sequence")


def time_kinds(updated: Updated) -> tuple[str, ...]:
    """The JSON types in which a moment of this form comes."""
    return ("string", "integer") if updated.format in _NUMBERED else ("string",)


def _misfit(named: _Named, contract: Contract) -> Iterator[str]:
    try:
        kinds = contract.kinds(contract.at(named.path))
    except ValueError as fault:
        yield str(fault)
        return
    if len(kinds) != 1 or not kinds <= set(named.kinds):
        stated = " or ".join(sorted(kinds)) or "of no stated type"
        yield f"{named.path} is {stated}; {named.says} is {' or '.join(named.kinds)}"


def _other_forms(stream: Stream) -> Iterator[tuple[tuple[str | int, ...], str]]:
    try:
        Statement(stream.key, stream.updated)
    except ValueError as fault:
        yield ("updated", "format"), str(fault)
    deletes = stream.deletes
    if isinstance(deletes, TombstoneStream) and deletes.updated:
        try:
            Statement(stream.key, deletes.updated)
        except ValueError as fault:
            yield ("deletes", "updated", "format"), str(fault)


def _other_keys(stream: Stream) -> Iterator[tuple[tuple[str | int, ...], str]]:
    deletes = stream.deletes
    if isinstance(deletes, TombstoneStream) and deletes.key and len(deletes.key) != len(stream.key):
        count = len(stream.key)
        yield ("deletes", "key"), f"names {len(deletes.key)} of {count} fields; give one for each of key"


def _line(connector: Connector, name: str, keys: tuple[str | int, ...], fault: str) -> str:
    shown = ".".join(str(key) for key in keys if isinstance(key, str))
    return f"{connector.where('streams', name, *keys)}: streams.{name}.{shown}: {fault}"
