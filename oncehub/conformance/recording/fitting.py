"""Substitutes that contract and mapping accept wherever they accept the original."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import orjson

from oncehub.anonymisation.anonymiser import leaves
from oncehub.anonymisation.non_personal_fields import files_of
from oncehub.anonymisation.substitutes import Substitutes, substituted
from oncehub.config.connector import Connector
from oncehub.config.mapping import FieldRule, StreamMapping
from oncehub.config.reading import RecordPath
from oncehub.connect.formats import at
from oncehub.errors import ConfigError
from oncehub.normalize.batch import Rejected
from oncehub.normalize.normalizer import load_normalizer
from oncehub.settings import Settings

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
        self._mapping = StreamMapping.load(files_of(settings, connector, stream)[0])
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
        good = waiting = [record for number, record in enumerate(once) if number not in bad]
        for _ in range(_MOST_ROUNDS):
            rejected = self._rejected([self._replaced(record) for record in waiting], deletions)
            if not rejected and len(waiting) == len(good):
                return
            blamed = (self._made_of(waiting[number], why) for number, why in rejected.items())
            for text in {str(value) for values in blamed for value in values}:
                self._substitutes.draw_again(text)
            # What was drawn again may stand in a record that was accepted before.
            waiting = [waiting[number] for number in rejected] or good
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

    def _made_of(self, record: Any, rejected: Rejected) -> Iterator[Any]:
        """The values in a record that the rejected field was made of."""
        entity, _, attribute = rejected.path.partition(".")
        mapping = self._mapping.entities.get(entity)
        if rejected.stage == "contract" or mapping is None:
            for path in rejected.path.replace("[]", "").split(","):
                yield from _under(record, path.strip())
            return
        for name, rule in mapping.attributes.items():
            if name == attribute or name.startswith(f"{attribute}."):
                for scope in [record] if mapping.each is None else at(record, mapping.each) or []:
                    yield from _origins(rule, scope)

    def _take_from_samples(self, waiting: Sequence[Any], deletions: bool) -> None:
        rejected = self._rejected([self._replaced(record) for record in waiting], deletions)
        for number, why in rejected.items():
            record = waiting[number]
            key = {str(at(record, path)) for path in self._connector.streams[self._stream].key}
            known = [
                value
                for sample in self._samples
                for value in self._made_of(sample, why)
                if not self._substitutes.is_real(str(value))
            ]
            values = list(self._made_of(record, why))
            if not known or not key.isdisjoint(map(str, values)):
                raise ConfigError(
                    f"{self._connector.source}.{self._stream}: no other value is accepted for {why.path}, so"
                    f" it cannot be recorded; state one in samples/{self._stream}.json"
                )
            for value in values:
                self._substitutes.put(str(value), str(known[0]))


def _origins(rule: FieldRule, scope: Any) -> Iterator[Any]:
    """The values of a record, or of an item of its list, that a rule chooses from."""
    pick = rule.pick
    if pick:
        items = at(scope, str(rule.source)) or []
        yield from (at(item, pick.take) for item in items if str(at(item, pick.where)) == pick.equals)
        return
    source = (rule.source,) if isinstance(rule.source, str) else rule.source
    for path in source or rule.join or ():
        yield from _under(scope, path)


def _under(scope: Any, path: str) -> Iterator[Any]:
    yield from (value for _, value in leaves(at(scope, path)) if not isinstance(value, bool))


def _samples(connector: Connector, stream: str) -> list[Any]:
    path = connector.path.parent / "samples" / f"{stream}.json"
    content = orjson.loads(path.read_bytes()) if path.is_file() else []
    return content if isinstance(content, list) else []
