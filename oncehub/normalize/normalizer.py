"""Normalizes records: delete marks, contract, mapping, canonical checks, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import not_
from typing import Any, Final

import orjson
import polars as pl

from oncehub.config.connector import (
    Connector,
    FlagDeletes,
    SequenceChanges,
    Stream,
    Submitted,
    TombstoneDeletes,
    TombstoneStream,
)
from oncehub.config.connector import Contract as Modes
from oncehub.connect.formats import marks
from oncehub.normalize.batch import Batch, Statements, assembled
from oncehub.normalize.checks import Fault, faults
from oncehub.normalize.contract.contract import Contract, of_kinds, only
from oncehub.normalize.contract.differences import DriftNotes
from oncehub.normalize.contract.gate import ContractGate, Passage
from oncehub.normalize.definition import Definition, load_definition
from oncehub.normalize.frame import build_frame, frame_schema, with_columns_of_paths
from oncehub.normalize.key_and_time import KeyAndTime, highest
from oncehub.normalize.mapping.compiled import EntityMaker, MappingCompiler
from oncehub.normalize.named_fields import KEY_KINDS, time_kinds
from oncehub.normalize.unreadable import fault_of, readable_part
from oncehub.settings import Settings

_NUL: Final = rb"\u0000"


class DeleteMarks:
    """Finds the records that are marked as deleted."""

    def __init__(self, deletes: FlagDeletes | TombstoneDeletes | None) -> None:
        """Prepare; without `deletes` no record is marked."""
        self._deletes = deletes

    def part(self, records: Sequence[Any], places: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return those of `places` whose records are not marked, and those whose are."""
        deletes = self._deletes
        if deletes is None:
            return places, ()
        asked = records if len(places) == len(records) else [records[place] for place in places]
        marked = marks(asked, deletes.field, deletes.equals)
        if not any(marked):
            return places, ()
        return list(compress(places, map(not_, marked))), list(compress(places, marked))


@dataclass(frozen=True)
class Deletions:
    """How records are read that state only a deletion."""

    gate: ContractGate
    statement: KeyAndTime


def load_normalizer(settings: Settings, connector: Connector, stream: str) -> Normalizer:
    """Read and compile what a stream needs: contract, mapping, code lists and canonical schemas.

    Raises:
        ConfigError: for anything wrong in them, with file, line and column.
    """
    return Normalizer(load_definition(settings, connector, stream))


@dataclass(frozen=True)
class _Sorted:
    """The records of a batch, sorted: the passages of live ones and of deletions through their gates."""

    live: Passage
    gone: Passage
    deletions: Sequence[int]
    statement: KeyAndTime

    @property
    def stop(self) -> str | None:
        return self.live.stop or self.gone.stop


class Normalizer:
    """Turns the received records of one stream into canonical frames.

    Attributes:
        definition: digest of what decides which rows a record makes; see `Definition.digest`.
    """

    def __init__(self, definition: Definition) -> None:
        """Compile what the files say.

        Raises:
            ConfigError: when the mapping is wrong, with file, line and column.
        """
        stream, contract = definition.stream, definition.contract
        compiler = MappingCompiler(definition.mapping, contract, definition.entities, definition.vocabulary)
        self._makers: tuple[EntityMaker, ...] = compiler.compile()
        self.definition = definition.digest()
        self._statement = KeyAndTime(stream.key, stream.updated)
        self._gate = ContractGate(contract, stream.contract)
        self._marks = DeleteMarks(
            stream.deletes if isinstance(stream.deletes, FlagDeletes | TombstoneDeletes) else None
        )
        self._marked = _of_marked(contract, self._statement, stream.contract)
        self._tombstones = _of_stream(stream)
        self._sequence = stream.changes.field if isinstance(stream.changes, SequenceChanges) else None
        self._schema = frame_schema(contract, {*compiler.used, *self._statement.paths})

    def normalize(self, records: list[Any], *, deletions: bool = False) -> Batch:
        """Normalize a batch; records with faults are in `rejected`, and no record raises.

        Args:
            records: as received.
            deletions: whether they come from the stream's `deletes: {kind: stream}`, where each states only
                which record was deleted, and when.
        """
        try:
            return self._normalized(records, records, range(len(records)), [], deletions)
        except (ValueError, orjson.JSONEncodeError):
            # The validator and the JSON writer refuse the batch if JSON cannot hold one of its records.
            flaws = [fault for row, record in enumerate(records) if (fault := fault_of(row, record))]
            if not flaws:
                raise
        unreadable = {fault.row for fault in flaws}
        plain = [readable_part(each) if row in unreadable else each for row, each in enumerate(records)]
        places = [row for row in range(len(records)) if row not in unreadable]
        return self._normalized(records, plain, places, flaws, deletions)

    def _normalized(
        self,
        received: Sequence[Any],
        records: Sequence[Any],
        places: Sequence[int],
        unreadable: list[Fault],
        deletions: bool,
    ) -> Batch:
        """Normalize `records`, which are those received, with what can be read of the unreadable ones."""
        notes = DriftNotes()
        part = self._parted_tombstones if deletions else self._parted
        parted = part(records, places, notes)
        # Polars reads JSON text several times faster than nested Python objects.
        text = orjson.dumps(with_columns_of_paths(parted.live.readable(records), self._schema))
        stated = self._statement.read(build_frame(text, parted.live.sound, self._schema))
        erased = parted.statement.read_raw(parted.gone.readable(records), parted.gone.sound)
        found = [*unreadable, *parted.live.faults, *parted.gone.faults]
        broken = [fault.row for fault in found]
        unsound = parted.statement.read_raw([records[row] for row in broken], broken)
        found += faults(stated, self._statement.checks) + faults(erased, parted.statement.checks)
        frames: dict[str, pl.DataFrame] = {}
        for maker in self._makers:
            frames[maker.entity.name], its_faults = maker.make(stated, odd_text=_NUL in text)
            found += its_faults
        self._gate.admit(parted.live.noted)
        return assembled(
            received,
            frames,
            Statements(stated, erased, unsound, frozenset(parted.deletions)),
            found,
            high_sequence=highest(records, self._sequence) if self._sequence else None,
            drift=notes.drift(),
            stop=parted.stop,
        )

    def _parted(self, records: Sequence[Any], places: Sequence[int], notes: DriftNotes) -> _Sorted:
        live, gone = self._marks.part(records, places)
        passed = self._gate.sort(records, live, notes)
        left = self._marked.gate.sort(records, gone, notes)
        return _Sorted(passed, left, gone, self._statement)

    def _parted_tombstones(self, records: Sequence[Any], places: Sequence[int], notes: DriftNotes) -> _Sorted:
        assert self._tombstones, "the stream has no deletes: {kind: stream}"
        gone = self._tombstones.gate.sort(records, places, notes)
        return _Sorted(Passage([]), gone, range(len(records)), self._tombstones.statement)


def _of_marked(contract: Contract, statement: KeyAndTime, modes: Modes) -> Deletions:
    """A marked record must state its key and time in the contract's types."""
    asked = only(contract, statement.paths)
    return Deletions(ContractGate(asked, modes.model_copy(update={"unknown": "ignore"})), statement)


def _of_stream(stream: Stream | Submitted) -> Deletions | None:
    """A record of a stream of tombstones must state a key and a time, each in a readable type."""
    if not isinstance(stream.deletes, TombstoneStream):
        return None
    key, updated = stream.deletes.key or stream.key, stream.deletes.updated or stream.updated
    asked = of_kinds({**dict.fromkeys(key, KEY_KINDS), updated.field: time_kinds(updated)})
    modes = Modes(unknown="ignore", changed_type="quarantine", missing="quarantine")
    return Deletions(ContractGate(asked, modes), KeyAndTime(key, updated))
