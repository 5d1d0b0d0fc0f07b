"""The result of normalizing a batch of records: frames, deletions and rejected records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import polars as pl

from oncehub.connect.formats.unreadable import as_written
from oncehub.normalize.checks import KEY_BYTES, ROW, Fault, Stage
from oncehub.normalize.contract.differences import Drift
from oncehub.normalize.mapping.compiled import CARRIED, KEY, STATED, drop_rows


@dataclass(frozen=True)
class Rejected:
    """A record that cannot land.

    Attributes:
        source_key: its key, where it can be read and stored.
        reason: what is wrong; names fields, transforms and keywords, never a value.
        path: source field for stage `contract`, else `entity.attribute`.
        payload: the record as received, JSON.
        stated_at: its time of statement (UTC), where it can be read.
        deletion: whether it states that the source deleted the record.
    """

    source_key: str | None
    stage: Stage
    reason: str
    path: str
    payload: bytes
    stated_at: datetime | None = None
    deletion: bool = False


@dataclass(frozen=True)
class Batch:
    """A normalized batch of records.

    Of records with the same key it has only the one stated last. Of equal times a deletion counts, as it does
    between two batches; else the later record in the batch.

    Attributes:
        frames: by entity: source_key, stated_at (Datetime us UTC) and every canonical attribute.
        deleted: source_key, stated_at of records that the source deleted.
        rejected: records that cannot land, in the order received.
        accepted_keys: source_key, stated_at of the records without a fault, even where they make no entity.
        read: number of records received.
        high_mark: latest readable time of statement, UTC.
        high_sequence: largest readable number at `changes.field` of a stream with changes by sequence.
        drift: differences from the contract that are to be noted.
        stop: why the run must end before these records land; names field and difference, never a value.
        payload_of: returns the record of a key as received, JSON.
    """

    frames: dict[str, pl.DataFrame]
    deleted: pl.DataFrame
    rejected: list[Rejected]
    accepted_keys: pl.DataFrame
    read: int
    high_mark: datetime | None
    high_sequence: int | None = None
    drift: tuple[Drift, ...] = ()
    stop: str | None = None
    payload_of: Callable[[str], bytes] = field(repr=False, default=lambda key: orjson.dumps({"key": key}))

    def keys(self) -> list[str]:
        """Return the keys of the records and deletions that are to land."""
        return [*self.accepted_keys[KEY], *self.deleted[KEY]]

    def only(self, keys: Sequence[str]) -> Batch:
        """Return the batch with only these of its records and deletions."""
        chosen = pl.col(KEY).is_in(list(keys))
        return replace(
            self,
            frames={name: frame.filter(chosen) for name, frame in self.frames.items()},
            deleted=self.deleted.filter(chosen),
            accepted_keys=self.accepted_keys.filter(chosen),
        )

    def statement_of(self, key: str) -> tuple[datetime, bool]:
        """Return the time of statement of a record that is to land, and whether it is a deletion."""
        deleted = key in self.deleted[KEY]
        frame = self.deleted if deleted else self.accepted_keys
        return frame.filter(pl.col(KEY) == key)[STATED].item(), deleted


@dataclass(frozen=True)
class Statements:
    """Keys and times of the records of a batch: working frames with `#row`, `#key` and `#stated`.

    Attributes:
        stated: of live records.
        erased: of deleted records.
        unsound: of records that broke the contract.
        deletions: places of all records that state a deletion.
    """

    stated: pl.DataFrame
    erased: pl.DataFrame
    unsound: pl.DataFrame
    deletions: frozenset[int]

    def everything(self) -> pl.DataFrame:
        """Return all of them in one frame, without further columns."""
        frames = [frame for frame in (self.stated, self.erased, self.unsound) if frame.height]
        columns = [ROW, *CARRIED.values()]
        return pl.concat([frame.select(columns) for frame in frames or [self.unsound]])


def assembled(
    records: Sequence[Any],
    made: dict[str, pl.DataFrame],
    statements: Statements,
    found: list[Fault],
    *,
    high_sequence: int | None,
    drift: tuple[Drift, ...],
    stop: str | None,
) -> Batch:
    """Build the batch, without rejected and superseded records.

    Args:
        records: as received.
        made: by entity: `#row`, source_key, stated_at and the attributes.
        statements: keys and times of the records.
        found: every fault; the first one of a record is reported.
        high_sequence: as in `Batch`, like those that follow.
        drift: see there.
        stop: see there.
    """
    everything = statements.everything()
    first = {fault.row: fault for fault in reversed(found)}
    left_out = {*first, *_superseded(drop_rows(everything, set(first)), statements.deletions)}
    return Batch(
        frames={name: drop_rows(frame, left_out).drop(ROW) for name, frame in made.items()},
        deleted=_keys(drop_rows(statements.erased, left_out)),
        rejected=_rejected(records, everything, first, statements.deletions),
        accepted_keys=_keys(drop_rows(statements.stated, left_out)),
        read=len(records),
        high_mark=_latest(everything[CARRIED[STATED]]),
        high_sequence=high_sequence,
        drift=drift,
        stop=stop,
        payload_of=partial(_payload_of, records, everything),
    )


def _payload_of(records: Sequence[Any], everything: pl.DataFrame, key: str) -> bytes:
    """Return the record stated last of those with a key."""
    stated = everything.filter(pl.col(CARRIED[KEY]) == key).sort(CARRIED[STATED], ROW)
    return _payload(records[stated[ROW][-1]])


def _superseded(sound: pl.DataFrame, deletions: frozenset[int]) -> set[int]:
    """Places of records with a later statement, or a deletion of the same time, in the same batch."""
    key = CARRIED[KEY]
    if sound[key].n_unique() == sound.height:
        return set()
    deletes = pl.col(ROW).is_in(list(deletions))
    latest = sound.sort(CARRIED[STATED], deletes, ROW).unique(key, keep="last", maintain_order=True)
    return set(sound[ROW]) - set(latest[ROW])


def _keys(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(column).alias(name) for name, column in CARRIED.items())


def _rejected(
    records: Sequence[Any], everything: pl.DataFrame, first: dict[int, Fault], deletions: frozenset[int]
) -> list[Rejected]:
    if not first:
        return []
    key = pl.col(CARRIED[KEY])
    nameable = ~key.str.contains("\0", literal=True) & (key.str.len_bytes() <= KEY_BYTES)
    rejected = everything.filter(pl.col(ROW).is_in(list(first))).sort(ROW)
    stated = rejected.select(ROW, pl.when(nameable).then(key), CARRIED[STATED])
    return [
        Rejected(
            source_key=source_key,
            stage=first[row].stage,
            reason=first[row].reason,
            path=first[row].path,
            payload=_payload(records[row]),
            stated_at=stated_at,
            deletion=row in deletions,
        )
        for row, source_key, stated_at in stated.iter_rows()
    ]


def _payload(record: Any) -> bytes:
    try:
        return orjson.dumps(record)
    except orjson.JSONEncodeError:
        return as_written(record)


def _latest(moments: pl.Series) -> datetime | None:
    latest = moments.max()
    assert latest is None or isinstance(latest, datetime)
    return latest
