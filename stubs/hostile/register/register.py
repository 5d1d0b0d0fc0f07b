"""The register: its records, when each was stated, and in which order they were committed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock

from stubs.hostile.register.holders import Fields, document_count, document_fields, holder_fields, new_phone

START = datetime(2025, 11, 3, 1, 0, tzinfo=UTC)
"""The register's clock at its start, and the time of its newest record; every change moves the clock."""
STEP = timedelta(seconds=1)
_SPACING = timedelta(seconds=37)
_SHARED_TIME = 7  # every seventh record was stated at the same instant as the one before it


@dataclass(frozen=True)
class Entry:
    """One record as last stated.

    Attributes:
        key: its name in its collection.
        fields: its own, without status, time and sequence.
        stated_at: in whole seconds.
        sequence: its place in the sequence of changes, which rises with every statement.
    """

    key: str
    fields: Mapping[str, object]
    stated_at: datetime
    sequence: int
    deleted: bool = False


@dataclass(frozen=True)
class Hidden:
    """A record committed after its statement: at a time, or after a number of requests."""

    until: datetime | None = None
    requests: int | None = None


@dataclass(frozen=True)
class _Delayed:
    entry: Entry
    until: datetime | None
    request: int | None


class LandRegister:
    """Holders and their documents; safe to read and change from several threads.

    Attributes:
        step: how far the clock moves before each statement.
        lateness: set, records are added with a time that far back, and hidden until `release`.
    """

    def __init__(self, people: int, seed: int) -> None:
        self.step = STEP
        self.lateness: timedelta | None = None
        self._seed = seed
        self._lock = RLock()
        self._requests = 0
        self._sequence = 0
        self._added = 0
        self._delayed: list[_Delayed] = []
        self._entries: dict[str, Entry] = {}
        self._documents: dict[str, list[Entry]] = {}
        apart = [number % _SHARED_TIME > 0 for number in range(people)]
        self._now = START - _SPACING * sum(apart)
        for moves in apart:
            self._now += _SPACING * moves
            self._commit(self._new_holder(self._now))

    @property
    def now(self) -> datetime:
        """The register's clock, UTC."""
        return self._now

    @property
    def highest_sequence(self) -> int:
        """The last place given out in the sequence of changes."""
        return self._sequence

    def entries(self) -> list[Entry]:
        """All committed records, deleted ones too, in the order of their keys."""
        with self._lock:
            self._commit_due()
            return sorted(self._entries.values(), key=lambda entry: entry.key)

    def living(self) -> list[Entry]:
        """The committed records that are not deleted."""
        return [entry for entry in self.entries() if not entry.deleted]

    def documents(self, key: str) -> list[Entry] | None:
        """A holder's documents, a deleted one's too; None where there is no such holder."""
        with self._lock:
            self._commit_due()
            return list(self._documents[key]) if key in self._documents else None

    def count_request(self) -> int:
        """Counts a data request; returns its number from 1."""
        with self._lock:
            self._requests += 1
            return self._requests

    def advance(self, by: timedelta) -> None:
        """Moves the clock."""
        with self._lock:
            self._now += by

    def add(self, count: int, *, at: datetime | None = None, hidden: Hidden | None = None) -> list[str]:
        """Adds holders, each stated one step after the other or all `at` one moment; their keys."""
        with self._lock:
            return [self._add_one(at, hidden).key for _ in range(count)]

    def change(self, keys: Sequence[str], fields: Fields | None = None) -> None:
        """States records anew, with `fields` or each with another phone."""
        with self._lock:
            for key in keys:
                phone = {"dienThoai": new_phone(Random(f"{self._seed}/{key}/{self._sequence}"))}
                entry = self._entries[key]
                self._restate(replace(entry, fields={**entry.fields, **(fields or phone)}))

    def delete(self, keys: Sequence[str]) -> None:
        """Deletes records, which is a statement like any other."""
        with self._lock:
            for key in keys:
                self._restate(replace(self._entries[key], deleted=True))

    def add_document(self, key: str) -> None:
        """Gives a holder another document, and states the holder anew with it."""
        with self._lock:
            self._restate(self._entries[key])
            documents = self._documents[key]
            fields = document_fields(self._seed, key, len(documents) + 1)
            documents.append(self._new_document(fields, self._now))

    def release(self) -> None:
        """Commits everything that is still hidden."""
        with self._lock:
            self._delayed = [replace(delayed, request=0) for delayed in self._delayed]

    def behave(self) -> None:
        """Restores a correct clock and immediate commits."""
        with self._lock:
            self.step = STEP
            self.lateness = None
            self.release()
            self._now = max([self._now, *(entry.stated_at for entry in self._entries.values())])

    def _add_one(self, at: datetime | None, hidden: Hidden | None) -> Entry:
        if at is None:
            self._now += self.step
        entry = self._new_holder((at or self._now) - (self.lateness or timedelta(0)))
        if hidden is None and self.lateness is None:
            self._commit(entry)
            return entry
        hidden = hidden or Hidden()
        request = None if hidden.requests is None else self._requests + hidden.requests
        self._delayed.append(_Delayed(entry, hidden.until, request))
        return entry

    def _new_holder(self, stated_at: datetime) -> Entry:
        self._added += 1
        fields = holder_fields(self._seed, self._added)
        return Entry(str(fields["maSo"]), fields, stated_at, self._next_sequence())

    def _new_document(self, fields: Fields, stated_at: datetime) -> Entry:
        return Entry(str(fields["soPhatHanh"]), fields, stated_at, self._next_sequence())

    def _restate(self, entry: Entry) -> None:
        self._now += self.step
        self._entries[entry.key] = replace(entry, stated_at=self._now, sequence=self._next_sequence())

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _commit(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self._documents[entry.key] = [
            self._new_document(document_fields(self._seed, entry.key, number + 1), entry.stated_at)
            for number in range(document_count(self._seed, entry.key))
        ]

    def _commit_due(self) -> None:
        due = [delayed for delayed in self._delayed if self._is_due(delayed)]
        for delayed in due:
            self._delayed.remove(delayed)
            self._commit(delayed.entry)

    def _is_due(self, delayed: _Delayed) -> bool:
        by_clock = delayed.until is not None and delayed.until <= self._now
        return by_clock or (delayed.request is not None and delayed.request <= self._requests)
