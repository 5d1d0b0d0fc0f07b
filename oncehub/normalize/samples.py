"""A stream's samples, which must meet its contract and be read by its mapping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from oncehub.normalize.batch import Batch
from oncehub.normalize.definition import Definition
from oncehub.normalize.normalizer import Normalizer


def sample_faults(definition: Definition) -> list[str]:
    """What is wrong with the samples that lie in `samples/<stream>.json` beside the connector, if any do.

    Returns:
        One line a fault, each with the file, the number of the record (from 1), a path and a reason; no
        value of a sample.

    Raises:
        ConfigError: when the mapping does not compile.
    """
    path = definition.connector.path.parent / "samples" / f"{definition.name}.json"
    if not path.exists():
        return []
    try:
        records = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        return [f"{path}:{error.lineno}:{error.colno}: is not valid JSON: {error.msg}"]
    if not isinstance(records, list):
        return [f"{path}: is no JSON list; write the records between [ and ]"]
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
