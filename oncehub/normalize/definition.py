"""The definition of a stream: all that its files say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from oncehub.config.connector import Connector, Stream, Submitted
from oncehub.config.entities import Entity, load_entities
from oncehub.config.mapping import FieldRule, StreamMapping
from oncehub.errors import ConfigError
from oncehub.normalize.contract.contract import Contract, load_contract
from oncehub.normalize.mapping.vocabulary import Vocabulary, load_vocabulary
from oncehub.normalize.named_fields import field_faults
from oncehub.settings import Settings


@dataclass(frozen=True)
class Definition:
    """A stream: how it is read, its contract, and its mapping.

    Attributes:
        name: of the stream.
    """

    connector: Connector
    name: str
    contract: Contract
    mapping: StreamMapping
    entities: dict[str, Entity]
    vocabulary: Vocabulary

    @property
    def stream(self) -> Stream | Submitted:
        """The stream as the connector defines it."""
        return self.connector.landed[self.name]

    def digest(self) -> str:
        """Return the SHA-256 (hex) of what decides which rows a record makes, with code lists read so far."""
        content = {
            "stream": self.stream.model_dump(mode="json", include={"key", "updated", "deletes", "contract"}),
            "contract": self.contract.schema,
            "mapping": self.mapping.model_dump(mode="json"),
            "codes": self.vocabulary.codes.content(),
        }
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def load_definition(settings: Settings, connector: Connector, stream: str) -> Definition:
    """Read contract, mapping and canonical schemas; code lists are read when first asked for.

    Raises:
        ConfigError: when one is wrong, or the contract lacks a field that the connector names; with file,
            line and column.
    """
    if stream not in connector.landed:
        raise ConfigError(f"{connector.where('streams')}: streams: there is no stream {stream!r}")
    within = Path("sources") / connector.source
    contract = load_contract(settings.schemas / within / f"{stream}.json")
    mapping = StreamMapping.load(settings.mappings / within / f"{stream}.yaml")
    if wrong := field_faults(connector, stream, contract):
        raise ConfigError("\n".join(wrong))
    entities = load_entities(settings.schemas)
    if wrong := _sensitive_keys(connector.landed[stream].key, mapping, entities):
        raise ConfigError("\n".join(wrong))
    return Definition(connector, stream, contract, mapping, entities, load_vocabulary(settings.mappings))


def _sensitive_keys(key: Sequence[str], mapping: StreamMapping, entities: Mapping[str, Entity]) -> list[str]:
    """List sensitive attributes that are made of a field of the key, which is stored in clear."""
    return [
        f"{mapping.where(name, attribute)}: {name}.{attribute}: is encrypted where it is stored "
        f"(x-sensitive), and made of {field}, which names the record and is stored in clear; "
        "name records by another field"
        for name, made in mapping.entities.items()
        for attribute, rule in made.attributes.items()
        if name in entities and (known := entities[name].attributes.get(attribute)) and known.sensitive
        for field in _read_by(rule)
        if field in key
    ]


def _read_by(rule: FieldRule) -> tuple[str, ...]:
    source = rule.source or rule.join or ()
    return (source,) if isinstance(source, str) else source
