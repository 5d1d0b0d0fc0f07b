"""Checks the files of one stream before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from oncehub.config.connector import Connector
from oncehub.errors import ConfigError
from oncehub.files import read_bounded
from oncehub.normalize.batch import Batch
from oncehub.normalize.definition import Definition, load_definition
from oncehub.normalize.mapping_gaps import coverage_faults
from oncehub.normalize.named_fields import absence_faults
from oncehub.normalize.normalizer import Normalizer
from oncehub.settings import Settings


def check_stream(settings: Settings, connector: Connector, stream: str) -> None:
    """Check that a stream can be read, and that its contract, mapping and samples fit each other.

    Faults are fields that every record needs but the contract does not require, listed values that the
    mapping cannot read, and samples that do not meet the contract.

    Raises:
        ConfigError: one line for each fault, with file, line and column, or the number of the sample.
    """
    definition = load_definition(settings, connector, stream)
    Normalizer(definition)
    faults = [
        *absence_faults(connector, stream, definition.contract),
        *coverage_faults(definition),
        *sample_faults(definition),
    ]
    if faults:
        raise ConfigError("\n".join(faults))


def sample_faults(definition: Definition) -> list[str]:
    """List the faults of the samples in `samples/<stream>.json` beside the connector, where it exists.

    Returns:
        One line for each fault, with the file, the number of the record (from 1), a path and a reason; no
        value of a sample.

    Raises:
        ConfigError: when the mapping does not compile.
    """
    path = definition.connector.path.parent / "samples" / f"{definition.name}.json"
    if not path.exists():
        return []
    try:
        records = orjson.loads(read_bounded(path))
    except orjson.JSONDecodeError as error:
        return [f"{path}:{error.lineno}:{error.colno}: is not valid JSON: {error.msg}"]
    if not isinstance(records, list):
        return [f"{path}: is not a JSON list; write the records between [ and ]"]
    if not _faults(Normalizer(definition).normalize(records)):
        return []
    return [f"{path}: {fault}" for fault in _one_by_one(Normalizer(definition), records)]


def _one_by_one(normalizer: Normalizer, records: list[Any]) -> Iterator[str]:
    for number, record in enumerate(records, start=1):
        for fault in _faults(normalizer.normalize([record])):
            yield f"record {number}: {fault}"


def _faults(batch: Batch) -> list[str]:
    differs = {
        "unknown": "is not in the contract; add it",
        "changed_type": "is not of the contract's type",
        "missing": "is required by the contract",
    }
    return [
        *(f"{each.path or 'the record'}: {each.reason}" for each in batch.rejected),
        *(f"{each.path}: {differs[each.kind]} (found: {each.found})" for each in batch.drift),
    ]
