"""Sorts records by their contract: those that meet it pass, the others are treated as its modes say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import not_
from typing import Any

import jsonschema_rs

from oncehub.config.connector import Contract as Modes
from oncehub.normalize.checks import Fault
from oncehub.normalize.contract.contract import Contract
from oncehub.normalize.contract.differences import Difference, DriftNotes
from oncehub.normalize.contract.examination import examine
from oncehub.normalize.contract.strict import admit, strict_schema


@dataclass
class Passage:
    """The result of sorting records.

    Attributes:
        sound: places of the records that land, ascending.
        amended: by place, the record to read instead of the received one.
        faults: of the records that do not land.
        noted: differences to note.
        stop: why the run must end, if it must.
    """

    sound: list[int]
    amended: dict[int, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    noted: set[Difference] = field(default_factory=set)
    stop: str | None = None

    def readable(self, records: Sequence[Any]) -> Sequence[Any]:
        """Return the sound records as they are to be read."""
        if len(self.sound) == len(records) and not self.amended:
            return records
        return [self.amended.get(place, records[place]) for place in self.sound]


class ContractGate:
    """Separates records that land from those that do not.

    A record that meets the contract is validated once; any other is examined. `admit` keeps validation fast
    for a source that adds or leaves out a field in every record.
    """

    def __init__(self, contract: Contract, modes: Modes) -> None:
        self._modes = modes
        self._schema = strict_schema(
            contract, closed=modes.unknown != "ignore", demanding=modes.missing != "ignore"
        )
        self._validator = jsonschema_rs.Draft202012Validator(self._schema)

    def sort(self, records: Sequence[Any], places: Sequence[int], notes: DriftNotes) -> Passage:
        """Sort the records at `places`, and add the differences to note to `notes`."""
        asked = records if len(places) == len(records) else [records[place] for place in places]
        verdicts = list(map(self._validator.is_valid, asked))
        passage = Passage(list(compress(places, verdicts)))
        for place in compress(places, map(not_, verdicts)):
            self._examine(place, records[place], passage, notes)
        passage.sound.sort()
        return passage

    def admit(self, noted: set[Difference]) -> None:
        """Accept the noted unknown and missing fields without examination from now on."""
        changed = [
            admit(self._schema, difference.steps, missing=difference.kind == "missing")
            for difference in noted
            if difference.kind != "changed_type"
        ]
        if any(changed):
            self._validator = jsonschema_rs.Draft202012Validator(self._schema)

    def _examine(self, place: int, record: Any, passage: Passage, notes: DriftNotes) -> None:
        found = examine(self._validator, self._modes, record)
        passage.noted |= notes.add(found.differences)
        passage.stop = passage.stop or found.stop
        if found.broken:
            keyword, path = found.broken
            passage.faults.append(Fault(place, "contract", f"breaks {keyword!r} of the contract", path))
            return
        passage.sound.append(place)
        if found.record is not record:
            passage.amended[place] = found.record
