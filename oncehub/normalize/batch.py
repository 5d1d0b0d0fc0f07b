"""What a batch of records says, put together: frames, deletions and what is rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from oncehub.normalize.checks import KEY_BYTES, ROW, Fault, Stage
from oncehub.normalize.contract.drift import Drift
from oncehub.normalize.mapping.compiled import CARRIED, KEY, STATED, drop_rows


@dataclass(frozen=True)
class Rejected:
    """A record that cannot be landed.

    Attributes:
        source_key: its key, where it can be told and stored.
        reason: what is wrong; names fields, transforms and keywords, never a value.
        path: source field for `contract`, `entity.attribute` else.
        payload: the record as received, JSON.
        stated_at: when it was stated (UTC), where that can be read.
        deletion: whether it says that the source deleted the record.
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
    """What a batch of records says.

    Of records with the same key only the one stated last is here; of equals a deletion, as where they land in
    two batches, else the later in the batch.

    Attributes:
        frames: by entity: source_key, stated_at (Datetime us UTC) and every canonical attribute.
        deleted: source_key, stated_at of records that the source deleted.
        rejected: records that cannot be landed, in the order received.
        accepted_keys: source_key, stated_at of the records that normalised well, entity or not.
        read: how many records came.
        high_mark: latest readable time of statement, UTC.
        high_sequence: largest readable number at `changes.field` of a stream with changes by sequence.
        drift: how records differ from the contract where that is to be noted.
        stop: why the run must end before these records land; names field and difference, never a value.
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


@dataclass(frozen=True)
class Statements:
    """Working frames with `#row`, `#key` and `#stated`.

    Attributes:
        stated: of live records.
        erased: of deleted records.
        unsound: of records that broke the contract.
        deletions: places of all records that say they are deleted.
    """

    stated: pl.DataFrame
    erased: pl.DataFrame
    unsound: pl.DataFrame
    deletions: frozenset[int]

    def everything(self) -> pl.DataFrame:
        """All of them in one frame, without further columns."""
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
    """Leave out rejected and superseded records, and put the batch together.

    Args:
        records: as received.
        made: by entity: `#row`, source_key, stated_at and the attributes.
        statements: who the records are about, and when they were stated.
        found: every fault; of a record the first counts.
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
    )


def _superseded(sound: pl.DataFrame, deletions: frozenset[int]) -> set[int]:
    """Places of records of which a later statement is in the same batch, or a deletion of the same time."""
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
            payload=orjson.dumps(records[row]),
            stated_at=stated_at,
            deletion=row in deletions,
        )
        for row, source_key, stated_at in stated.iter_rows()
    ]


def _latest(moments: pl.Series) -> datetime | None:
    latest = moments.max()
    assert latest is None or isinstance(latest, datetime)
    return latest
