"""Substitutes that contract and mapping accept wherever they accept the original."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from oncehub.conformance.recording.substitutes import Substitutes, substituted
from oncehub.conformance.records import leaves
from oncehub.model.connector import Connector
from oncehub.model.errors import ConfigError
from oncehub.model.mapping import FieldRule, StreamMapping
from oncehub.model.reading import RecordPath
from oncehub.model.settings import Settings
from oncehub.normalize import Rejected, load_normalizer

_MOST_ROUNDS: Final = 400


class Fitting:
    """Chooses the substitutes of one stream's values."""

    def __init__(
        self,
        settings: Settings,
        connector: Connector,
        stream: str,
        substitutes: Substitutes,
        keep: Collection[RecordPath],
    ) -> None:
        within = Path("sources") / connector.source
        self._mapping = StreamMapping.load(settings.mappings / within / f"{stream}.yaml")
        self._settings = settings
        self._connector = connector
        self._stream = stream
        self._substitutes = substitutes
        self._keep = keep
        self._samples = _samples(connector, stream)

    def fit(self, records: Sequence[Any], *, deletions: bool) -> None:
        """Draw substitutes for all values of some records, and again where one is not accepted.

        A value that is never accepted is replaced by that of a sample.

        Raises:
            ConfigError: when that is a key, or no sample states the field.
        """
        once = list({orjson.dumps(record): record for record in records}.values())
        bad = self._rejected(once, deletions)
        waiting = [record for number, record in enumerate(once) if number not in bad]
        for _ in range(_MOST_ROUNDS):
            rejected = self._rejected([self._replaced(record) for record in waiting], deletions)
            if not rejected:
                return
            for value in {
                value for number, why in rejected.items() for value in self._blamed(waiting[number], why)
            }:
                self._substitutes.draw_again(value)
            waiting = [waiting[number] for number in rejected]
        self._take_from_samples(waiting, deletions)

    def _replaced(self, record: Any) -> Any:
        return substituted(record, self._substitutes, self._keep.__contains__)

    def _rejected(self, records: Sequence[Any], deletions: bool) -> dict[int, Rejected]:
        """By number of the record, why it is not accepted."""
        if not records:
            return {}
        numbers: dict[bytes, list[int]] = defaultdict(list)
        for number, record in enumerate(records):
            numbers[orjson.dumps(record)].append(number)
        normalizer = load_normalizer(self._settings, self._connector, self._stream)
        batch = normalizer.normalize(list(records), deletions=deletions)
        return {number: each for each in batch.rejected for number in numbers[each.payload]}

    def _blamed(self, record: Any, rejected: Rejected) -> Iterator[str]:
        """Values that the rejected field was made of."""
        paths = self._fields(rejected)
        for path, value in leaves(record):
            blamed = any(path == each or path.startswith(f"{each}.") for each in paths)
            if blamed and path not in self._keep and not isinstance(value, bool):
                yield str(value)

    def _fields(self, rejected: Rejected) -> list[str]:
        if rejected.stage == "contract":
            return [rejected.path.replace("[]", "")]
        entity, _, attribute = rejected.path.partition(".")
        mapping = self._mapping.entities.get(entity)
        if mapping is None:
            return [part.strip() for part in rejected.path.split(",")]
        rules = [
            rule
            for name, rule in mapping.attributes.items()
            if name == attribute or name.startswith(f"{attribute}.")
        ]
        own = [path for rule in rules for path in _origins(rule)]
        return [f"{mapping.each}.{path}" if mapping.each else path for path in own]

    def _take_from_samples(self, waiting: Sequence[Any], deletions: bool) -> None:
        rejected = self._rejected([self._replaced(record) for record in waiting], deletions)
        for number, why in rejected.items():
            for path in self._fields(why):
                self._take_from_sample(waiting[number], path)

    def _take_from_sample(self, record: Any, path: str) -> None:
        known = next((value for sample in self._samples for at, value in leaves(sample) if at == path), None)
        if known is None or path in self._connector.streams[self._stream].key:
            raise ConfigError(
                f"{self._connector.source}.{self._stream}: no other value of {path} is accepted in its "
                f"place, so it cannot be recorded; state one in samples/{self._stream}.json"
            )
        for at, value in leaves(record):
            if at == path:
                self._substitutes.put(str(value), str(known))


def _origins(rule: FieldRule) -> Sequence[RecordPath]:
    """The fields of a record that a rule takes its value from."""
    if isinstance(rule.source, str):
        return (rule.source,)
    return rule.source or rule.join or ()


def _samples(connector: Connector, stream: str) -> list[Any]:
    path = connector.path.parent / "samples" / f"{stream}.json"
    content = orjson.loads(path.read_bytes()) if path.is_file() else []
    return content if isinstance(content, list) else []
