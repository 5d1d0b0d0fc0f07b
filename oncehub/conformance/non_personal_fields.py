"""What of records says nothing about anybody: codes, marks, times of statement, numbers of changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oncehub.authoring.masking import shown_fields
from oncehub.config.connector import Connector, SequenceChanges, TombstoneStream
from oncehub.config.mapping import StreamMapping
from oncehub.config.reading import RecordPath
from oncehub.conformance.records import leaves
from oncehub.normalize.contract.contract import load_contract
from oncehub.settings import Settings


def open_fields(settings: Settings, connector: Connector, stream: str) -> set[RecordPath]:
    """Dotted paths of these fields; items of a list stand under the list's own path.

    Raises:
        ConfigError: when contract or mapping cannot be read.
    """
    spec = connector.streams[stream]
    within = Path("sources") / connector.source
    mapping = StreamMapping.load(settings.mappings / within / f"{stream}.yaml")
    contract = load_contract(settings.schemas / within / f"{stream}.json")
    fields = {*shown_fields(spec, mapping, contract), *_deciding(mapping)}
    if isinstance(spec.changes, SequenceChanges):
        fields.add(spec.changes.field)
    if isinstance(spec.deletes, TombstoneStream) and spec.deletes.updated:
        fields.add(spec.deletes.updated.field)
    return fields


def open_words(settings: Settings, connector: Connector, stream: str) -> set[str]:
    """Words of the connector's and the contract's own, which may stand in any message.

    Raises:
        ConfigError: when the contract cannot be read.
    """
    path = settings.schemas / "sources" / connector.source / f"{stream}.json"
    words = {str(value) for _, value in leaves(connector.model_dump(mode="json"))}
    words |= set(_names(connector.model_dump(mode="json"))) | set(_names(load_contract(path).schema))
    return words | {str(value) for _, value in leaves(load_contract(path).schema)}


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
