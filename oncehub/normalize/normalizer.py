"""Received records to canonical frames: delete marks, contract, mapping, canonical check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from oncehub.model.connector import Connector
from oncehub.model.entities import load_entities
from oncehub.model.errors import ConfigError
from oncehub.model.mapping import StreamMapping
from oncehub.model.settings import Settings
from oncehub.normalize.checks import ROW, Fault, Stage, faults
from oncehub.normalize.codes import CodeLists
from oncehub.normalize.contract import Contract, ContractCheck, closed, equals, load_contract, only
from oncehub.normalize.frame import build_frame, frame_schema
from oncehub.normalize.mapping import CARRIED, KEY, STATED, EntityMaker, MappingCompiler, drop_rows
from oncehub.normalize.statement import Statement


@dataclass(frozen=True)
class Rejected:
    """A record that cannot be landed.

    Attributes:
        source_key: its key, where it can be told.
        reason: what is wrong; names fields, transforms and keywords, never a value.
        path: source field for `contract`, `entity.attribute` else.
        payload: the record as received, JSON.
    """

    source_key: str | None
    stage: Stage
    reason: str
    path: str
    payload: bytes


@dataclass(frozen=True)
class Batch:
    """What a batch of records says.

    Of records with the same key only the one stated last is here (of equals the later in the batch).

    Attributes:
        frames: by entity: source_key, stated_at (Datetime us UTC) and every canonical attribute.
        deleted: source_key, stated_at of records that the source deleted.
        rejected: records that cannot be landed, in the order received.
        accepted_keys: source_key, stated_at of the records that normalised well, entity or not.
        read: how many records came.
        high_mark: latest readable time of statement, UTC.
    """

    frames: dict[str, pl.DataFrame]
    deleted: pl.DataFrame
    rejected: list[Rejected]
    accepted_keys: pl.DataFrame
    read: int
    high_mark: datetime | None


class Normalizer:
    """One stream's way from received records to canonical frames."""

    def __init__(
        self,
        contract: Contract,
        contract_check: ContractCheck,
        statement: Statement,
        makers: tuple[EntityMaker, ...],
        used: set[str],
        deletion: tuple[ContractCheck, ContractCheck] | None,
    ) -> None:
        self._check = contract_check
        self._statement = statement
        self._makers = makers
        self._deletion = deletion
        self._schema = frame_schema(contract, {*used, *statement.paths})
        self._statement_schema = frame_schema(contract, statement.paths)

    def normalize(self, records: list[dict[str, Any]]) -> Batch:
        """Normalize a batch; a record that cannot be is in `rejected`, and no record raises."""
        live, gone, broken = self._sorted_out(records)
        stated = self._statement.read(build_frame([records[i] for i in live], live, self._schema))
        erased = self._statement.read(build_frame([records[i] for i in gone], gone, self._statement_schema))
        unsound = self._statement.read_raw([records[fault.row] for fault in broken], [f.row for f in broken])
        made = {maker.entity.name: maker.make(stated) for maker in self._makers}
        found = [*broken]
        for frame in (stated, erased):
            found += faults(frame, self._statement.checks())
        found += [fault for _, entity_faults in made.values() for fault in entity_faults]
        return _assembled(records, {name: frame for name, (frame, _) in made.items()}, stated, erased, unsound, found)

    def _sorted_out(self, records: Sequence[Any]) -> tuple[list[int], list[int], list[Fault]]:
        """Places of live and of deleted records, and the faults of those that break the contract."""
        places = range(len(records))
        if self._deletion is None:
            return _by_contract(self._check, records, places)
        is_deleted, check = self._deletion
        marks = list(map(is_deleted.holds, records))
        gone, _, broken_marks = _by_contract(check, records, list(compress(places, marks)))
        live, _, broken = _by_contract(self._check, records, [i for i in places if not marks[i]])
        return live, gone, [*broken, *broken_marks]


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
    codes = CodeLists(settings.mappings / "codes")
    compiler = MappingCompiler(mapping, contract, load_entities(settings.schemas), codes)
    makers = compiler.compile()
    strict = connector.streams[stream].contract.unknown == "quarantine"
    check = ContractCheck(closed(contract.schema) if strict else contract.schema)
    deletion = _deletion(connector, stream, contract, statement)
    return Normalizer(contract, check, statement, makers, compiler.used, deletion)


def _deletion(
    connector: Connector, stream: str, contract: Contract, statement: Statement
) -> tuple[ContractCheck, ContractCheck] | None:
    """What marks a record as deleted, and what a deleted record must still state."""
    deletes = connector.streams[stream].deletes
    if deletes is None or deletes.kind == "absence":
        return None
    return ContractCheck(equals(deletes.field, deletes.equals)), ContractCheck(only(contract, statement.paths))


def _by_contract(
    check: ContractCheck, records: Sequence[Any], places: Sequence[int]
) -> tuple[list[int], list[int], list[Fault]]:
    verdicts = [check.holds(records[i]) for i in places]
    sound = list(compress(places, verdicts))
    if len(sound) == len(places):
        return sound, sound, []
    return sound, sound, [check.fault(i, records[i]) for i, holds in zip(places, verdicts, strict=True) if not holds]


def _assembled(
    records: Sequence[Any],
    made: dict[str, pl.DataFrame],
    stated: pl.DataFrame,
    erased: pl.DataFrame,
    unsound: pl.DataFrame,
    found: list[Fault],
) -> Batch:
    """Leave out rejected and superseded records, and put the batch together."""
    columns = [ROW, *CARRIED.values()]
    everything = pl.concat([stated.select(columns), erased.select(columns), unsound.select(columns)])
    first = {fault.row: fault for fault in reversed(found)}
    sound = drop_rows(everything.filter(~pl.col(ROW).is_in(unsound[ROW].to_list())), set(first))
    superseded = _superseded(sound)
    left_out = {*first, *superseded}
    return Batch(
        frames={name: drop_rows(frame, left_out).drop(ROW) for name, frame in made.items()},
        deleted=_keys(drop_rows(erased, left_out)),
        rejected=_rejected(records, everything, first),
        accepted_keys=_keys(drop_rows(stated, left_out)),
        read=len(records),
        high_mark=_latest(everything[CARRIED[STATED]]),
    )


def _superseded(sound: pl.DataFrame) -> set[int]:
    """Places of records of which a later statement is in the same batch."""
    key = CARRIED[KEY]
    if sound[key].n_unique() == sound.height:
        return set()
    latest = sound.sort(CARRIED[STATED], ROW).unique(key, keep="last")
    return set(sound[ROW]) - set(latest[ROW])


def _keys(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(column).alias(name) for name, column in CARRIED.items())


def _rejected(records: Sequence[Any], everything: pl.DataFrame, first: dict[int, Fault]) -> list[Rejected]:
    if not first:
        return []
    keys = dict(everything.filter(pl.col(ROW).is_in(list(first))).select(ROW, CARRIED[KEY]).iter_rows())
    return [
        Rejected(keys[row], fault.stage, fault.reason, fault.path, orjson.dumps(records[row]))
        for row, fault in sorted(first.items())
    ]


def _latest(moments: pl.Series) -> datetime | None:
    latest = moments.max()
    assert latest is None or isinstance(latest, datetime)
    return latest
