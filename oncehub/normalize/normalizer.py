"""Received records to canonical frames: delete marks, contract, mapping, canonical check."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from oncehub.model.connector import Connector
from oncehub.model.entities import load_entities
from oncehub.model.errors import ConfigError
from oncehub.model.mapping import StreamMapping
from oncehub.model.settings import Settings
from oncehub.normalize.batch import Batch, Statements, assembled
from oncehub.normalize.checks import Fault, faults
from oncehub.normalize.contract import (
    Contract,
    ContractCheck,
    closed_schema,
    equals,
    load_contract,
    only,
)
from oncehub.normalize.frame import build_frame, frame_schema
from oncehub.normalize.mapping import EntityMaker, MappingCompiler
from oncehub.normalize.statement import Statement
from oncehub.normalize.vocabulary import load_vocabulary

_NUL: Final = rb"\u0000"
_DEEPEST: Final = 100


class Normalizer:
    """One stream's way from received records to canonical frames."""

    def __init__(
        self,
        contract: Contract,
        statement: Statement,
        makers: tuple[EntityMaker, ...],
        *,
        used: set[str],
        closed: bool,
        deletion: tuple[ContractCheck, ContractCheck] | None,
    ) -> None:
        """Prepare a stream; see `load_normalizer`.

        Args:
            contract: what records must meet.
            statement: reads key and time.
            makers: one an entity.
            used: the record paths that the makers read.
            closed: whether a field that the contract does not know breaks it.
            deletion: what marks a record as deleted, and what a deleted record must still state.
        """
        self._check = ContractCheck(closed_schema(contract.schema) if closed else contract.schema)
        self._statement = statement
        self._makers = makers
        self._deletion = deletion
        self._schema = frame_schema(contract, {*used, *statement.paths})
        self._statement_schema = frame_schema(contract, statement.paths)

    def normalize(self, records: list[dict[str, Any]]) -> Batch:
        """Normalize a batch; a record that cannot be is in `rejected`, and no record raises."""
        try:
            return self._normalized(records)
        except (ValueError, orjson.JSONEncodeError):
            # Deeper than the validator and the writer of JSON go, though not the reader.
            return self._normalized([_pruned(record, _DEEPEST) for record in records])

    def _normalized(self, records: list[Any]) -> Batch:
        live, gone, found, deletions = self._sorted_out(records)
        text = _as_json(records, live)
        stated = self._statement.read(build_frame(text, live, self._schema))
        erased = self._statement.read(build_frame(_as_json(records, gone), gone, self._statement_schema))
        broken = [fault.row for fault in found]
        unsound = self._statement.read_raw([records[row] for row in broken], broken)
        for frame in (stated, erased):
            found += faults(frame, self._statement.checks)
        frames: dict[str, pl.DataFrame] = {}
        for maker in self._makers:
            frames[maker.entity.name], its_faults = maker.make(stated, odd_text=_NUL in text)
            found += its_faults
        return assembled(records, frames, Statements(stated, erased, unsound, deletions), found)

    def _sorted_out(self, records: Sequence[Any]) -> tuple[list[int], list[int], list[Fault], set[int]]:
        """Places of live and deleted records, faults of those that break the contract, and all deletions."""
        places = range(len(records))
        if self._deletion is None:
            live, broken = _by_contract(self._check, records, places)
            return live, [], broken, set()
        is_deleted, check = self._deletion
        marks = list(map(is_deleted.holds, records))
        gone, broken_marks = _by_contract(check, records, list(compress(places, marks)))
        live, broken = _by_contract(self._check, records, [i for i in places if not marks[i]])
        return live, gone, [*broken, *broken_marks], set(compress(places, marks))


def load_normalizer(settings: Settings, connector: Connector, stream: str) -> Normalizer:
    """Read and compile what a stream needs: contract, mapping, code lists and canonical schemas.

    Raises:
        ConfigError: for anything wrong in them, with file, line and column.
    """
    if stream not in connector.streams:
        raise ConfigError(f"{connector.where('streams')}: streams: there is no stream {stream!r}")
    within = Path("sources") / connector.source
    contract = load_contract(settings.schemas / within / f"{stream}.json")
    mapping = StreamMapping.load(settings.mappings / within / f"{stream}.yaml")
    statement = Statement(connector, stream, contract)
    vocabulary = load_vocabulary(settings.mappings)
    compiler = MappingCompiler(mapping, contract, load_entities(settings.schemas), vocabulary)
    makers = compiler.compile()
    return Normalizer(
        contract,
        statement,
        makers,
        used=compiler.used,
        closed=connector.streams[stream].contract.unknown == "quarantine",
        deletion=_deletion(connector, stream, contract, statement),
    )


def _deletion(
    connector: Connector, stream: str, contract: Contract, statement: Statement
) -> tuple[ContractCheck, ContractCheck] | None:
    """What marks a record as deleted, and what a deleted record must still state."""
    deletes = connector.streams[stream].deletes
    if deletes is None or deletes.kind == "absence":
        return None
    mark = equals(deletes.field, deletes.equals)
    return ContractCheck(mark), ContractCheck(only(contract, statement.paths))


def _by_contract(
    check: ContractCheck, records: Sequence[Any], places: Sequence[int]
) -> tuple[list[int], list[Fault]]:
    """The places of records that meet the contract, and the faults of the others."""
    verdicts = [check.holds(records[i]) for i in places]
    sound = list(compress(places, verdicts))
    if len(sound) == len(places):
        return sound, []
    return sound, [check.fault(i, records[i]) for i, holds in zip(places, verdicts, strict=True) if not holds]


def _pruned(value: Any, levels: int) -> Any:
    """The value with null for whatever lies deeper than `levels`, where no contract asks for anything."""
    if isinstance(value, dict):
        return {key: _pruned(inner, levels - 1) for key, inner in value.items()} if levels else None
    if isinstance(value, list):
        return [_pruned(inner, levels - 1) for inner in value] if levels else None
    return value


def _as_json(records: Sequence[Any], rows: list[int]) -> bytes:
    # Polars reads JSON text several times faster than nested Python objects.
    return orjson.dumps(records if len(rows) == len(records) else [records[row] for row in rows])
