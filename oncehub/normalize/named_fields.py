"""Checks the record fields that a connector names against the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from oncehub.config.connector import (
    Connector,
    FlagDeletes,
    SequenceChanges,
    Stream,
    Submitted,
    TombstoneDeletes,
    TombstoneStream,
    Updated,
)
from oncehub.normalize.contract.contract import Contract
from oncehub.normalize.key_and_time import KeyAndTime

KEY_KINDS: Final = ("string", "integer")
"""The JSON types of a field of a key; numbers and texts are equivalent."""

_KINDS_OF: Final[dict[type, tuple[str, ...]]] = {
    bool: ("boolean",),
    int: ("integer", "number"),
    str: ("string",),
    type(None): ("array", "boolean", "integer", "number", "object", "string"),
}
_NUMBERED: Final = ("unix", "unix_ms")


@dataclass(frozen=True)
class _Named:
    """A field that `connector.yaml` names.

    Attributes:
        keys: where it does, from `streams` or `submitted` on.
        kinds: the JSON types that fit.
        says: what the field holds.
        always: whether every record must have it.
        framed: whether it is read from a frame, so that the contract must give it one type.
    """

    keys: tuple[str | int, ...]
    path: str
    kinds: tuple[str, ...]
    says: str
    always: bool = True
    framed: bool = False


def field_faults(connector: Connector, name: str, contract: Contract) -> list[str]:
    """List what makes a stream unreadable: fields that the contract lacks or gives a type that does not fit.

    Returns:
        One line a fault, each `file:line:column: what is wrong; what to write`.
    """
    stream = connector.landed[name]
    faults = [(named.keys, fault) for named in _named(connector, name) for fault in _misfit(named, contract)]
    others = [*_other_forms(stream), *_other_keys(stream)]
    faults += [((*connector.keys_of(name), *keys), fault) for keys, fault in others]
    return [_line(connector, keys, fault) for keys, fault in faults]


def absence_faults(connector: Connector, name: str, contract: Contract) -> list[str]:
    """List what would reject records in every run: needed fields that the contract does not require.

    The contract must describe every field that `field_faults` asks for.
    """
    return [
        _line(
            connector,
            named.keys,
            f"{named.path} may be absent or null; {named.says} never is, so require it in the contract",
        )
        for named in _named(connector, name)
        if named.always and not contract.assures(named.path)
    ]


def named_paths(connector: Connector, name: str) -> list[str]:
    """Return every field of a stream's records that the connector names, for the stream or its children."""
    return [named.path for named in _named(connector, name)]


def _named(connector: Connector, name: str) -> Iterator[_Named]:
    stream, here = connector.landed[name], connector.keys_of(name)
    for place, path in enumerate(stream.key):
        yield _Named((*here, "key", place), path, KEY_KINDS, "a key", framed=True)
    updated = stream.updated
    kinds, says = time_kinds(updated), "a time of statement"
    yield _Named((*here, "updated", "field"), updated.field, kinds, says, framed=True)
    if isinstance(stream.changes, SequenceChanges):
        yield _Named((*here, "changes", "field"), stream.changes.field, ("integer", "string"), "a sequence")
    if isinstance(stream.deletes, FlagDeletes | TombstoneDeletes):
        value = stream.deletes.equals
        kinds, says = _KINDS_OF[type(value)], f"what equals {value!r}" if value is not None else "a mark"
        yield _Named((*here, "deletes", "field"), stream.deletes.field, kinds, says, always=False)
    for taken in stream.parent.take if stream.parent else ():
        keys = (*here, "parent", "take", taken)
        yield _Named(keys, f"parent.{taken}", KEY_KINDS, "what is taken of a parent", always=False)
    yield from _taken_by_children(connector, name)


def _taken_by_children(connector: Connector, name: str) -> Iterator[_Named]:
    for child, stream in connector.streams.items():
        if stream.parent and stream.parent.stream == name:
            for taken, path in stream.parent.take.items():
                keys = ("streams", child, "parent", "take", taken)
                yield _Named(keys, path, KEY_KINDS, "what children are asked for with")


def time_kinds(updated: Updated) -> tuple[str, ...]:
    """Return the JSON types of a time in this format."""
    return ("string", "integer") if updated.format in _NUMBERED else ("string",)


def _misfit(named: _Named, contract: Contract) -> Iterator[str]:
    try:
        kinds = contract.kinds(contract.at(named.path))
    except ValueError as fault:
        yield str(fault)
        return
    if (named.framed and len(kinds) != 1) or not kinds & set(named.kinds):
        stated = " or ".join(sorted(kinds)) or "of no stated type"
        yield f"{named.path} is {stated}; {named.says} is {' or '.join(named.kinds)}"


def _other_forms(stream: Stream | Submitted) -> Iterator[tuple[tuple[str | int, ...], str]]:
    try:
        KeyAndTime(stream.key, stream.updated)
    except ValueError as fault:
        yield ("updated", "format"), str(fault)
    deletes = stream.deletes
    if isinstance(deletes, TombstoneStream) and deletes.updated:
        try:
            KeyAndTime(stream.key, deletes.updated)
        except ValueError as fault:
            yield ("deletes", "updated", "format"), str(fault)


def _other_keys(stream: Stream | Submitted) -> Iterator[tuple[tuple[str | int, ...], str]]:
    deletes = stream.deletes
    if isinstance(deletes, TombstoneStream) and deletes.key and len(deletes.key) != len(stream.key):
        count = len(stream.key)
        yield ("deletes", "key"), f"names {len(deletes.key)} of {count} fields; give one for each of key"


def _line(connector: Connector, keys: tuple[str | int, ...], fault: str) -> str:
    shown = ".".join(str(key) for key in keys if isinstance(key, str))
    return f"{connector.where(*keys)}: {shown}: {fault}"
