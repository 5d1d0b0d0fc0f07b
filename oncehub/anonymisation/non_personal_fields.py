"""Which fields of records say nothing about a person: codes, marks, times of statement, change numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oncehub.anonymisation.anonymiser import leaves
from oncehub.config.connector import Connector, SequenceChanges, Stream, Submitted, TombstoneStream
from oncehub.config.entities import Entity
from oncehub.config.mapping import FieldRule, StreamMapping
from oncehub.config.reading import RecordPath
from oncehub.normalize.contract.contract import Contract, Node, UnknownPath, load_contract
from oncehub.settings import Settings


def shown_fields(stream: Stream | Submitted, mapping: StreamMapping, contract: Contract) -> set[RecordPath]:
    """The fields that say nothing about a person by themselves: codes, marks and times of statement."""
    shown = {stream.updated.field}
    if stream.deletes and stream.deletes.kind in ("flag", "tombstone"):
        shown.add(stream.deletes.field)
    for entity in mapping.entities.values():
        for rule in entity.attributes.values():
            shown |= {path for path in _origins(rule) if rule.codes or _listed(contract, path)}
    return shown


def showable(settings: Settings, connector: Connector, stream: str) -> set[RecordPath]:
    """`shown_fields` by the files of a stream; of one that has none yet, the time of statement only.

    Raises:
        ConfigError: when a file is there and cannot be read.
    """
    definition = connector.landed[stream]
    mapping, contract = files_of(settings, connector, stream)
    if not (mapping.exists() and contract.exists()):
        return {definition.updated.field}
    return shown_fields(definition, StreamMapping.load(mapping), load_contract(contract))


def files_of(settings: Settings, connector: Connector, stream: str) -> tuple[Path, Path]:
    """Where a stream's mapping and contract belong."""
    within = Path("sources") / connector.source
    return settings.mappings / within / f"{stream}.yaml", settings.schemas / within / f"{stream}.json"


def shown_attributes(entities: Mapping[str, Entity]) -> dict[str, set[str]]:
    """By entity, the attributes that say nothing about a person by themselves: listed values and times."""
    return {
        name: {"stated_at", *(each.name for each in entity.attributes.values() if each.values)}
        for name, entity in entities.items()
    }


def shown_values(entity: Entity) -> set[str]:
    """The attributes with listed values, but for sensitive ones, which tell too much of one person."""
    return {each.name for each in entity.attributes.values() if each.values and not each.sensitive}


def _origins(rule: FieldRule) -> tuple[RecordPath, ...]:
    return (rule.source,) if isinstance(rule.source, str) else rule.source or ()


def _listed(contract: Contract, path: RecordPath) -> bool:
    try:
        node: Node = contract.at(path)
    except UnknownPath:
        return False
    return "enum" in node or "const" in node


def recordable_fields(settings: Settings, connector: Connector, stream: str) -> set[RecordPath]:
    """`shown_fields`, and those that decide what is made of a record or number its changes.

    Items of a list stand under the list's own path.

    Raises:
        ConfigError: when contract or mapping cannot be read.
    """
    spec = connector.streams[stream]
    paths = files_of(settings, connector, stream)
    mapping, contract = StreamMapping.load(paths[0]), load_contract(paths[1])
    fields = {*shown_fields(spec, mapping, contract), *_deciding(mapping)}
    if isinstance(spec.changes, SequenceChanges):
        fields.add(spec.changes.field)
    if isinstance(spec.deletes, TombstoneStream) and spec.deletes.updated:
        fields.add(spec.deletes.updated.field)
    return fields


def configuration_words(settings: Settings, connector: Connector, stream: str) -> set[str]:
    """Every word of the connector's file and of the contract, which may stand in any message.

    Raises:
        ConfigError: when the contract cannot be read.
    """
    contract = load_contract(files_of(settings, connector, stream)[1])
    documents = [connector.model_dump(mode="json"), contract.schema]
    words = {str(value) for _, value in leaves(documents)}
    return words.union(*map(_names, documents))


def _deciding(mapping: StreamMapping) -> Iterator[RecordPath]:
    """Fields that choose what is made of a record, or which object of a list counts."""
    for entity in mapping.entities.values():
        if entity.when:
            yield entity.when.field
        for rule in entity.attributes.values():
            if rule.pick:
                yield f"{rule.source}.{rule.pick.where}"


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _names(part)
    elif isinstance(value, list):
        for part in value:
            yield from _names(part)
