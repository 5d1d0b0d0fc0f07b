"""Lands one batch: writes what differs, and ignores statements older than the stored ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from psycopg2 import sql

from oncehub.config.entities import Entity
from oncehub.encryption.cipher import Ciphers, use_keys
from oncehub.encryption.encrypted_frames import encrypted_frame
from oncehub.intake.landing import statements
from oncehub.intake.landing.fingerprints import fingerprinted
from oncehub.normalize.batch import Batch
from oncehub.store.connection import Connection
from oncehub.store.frames import copy_frame

OF_PERSON = ["person", "former_identifier"]
"""Entities whose changes mark a record dirty, so that the next reconcile run reads it."""

_STATEMENT = ("source_key", "stated_at")
_PRINTED = (*_STATEMENT, "fingerprint")
_STREAM = ("source", "stream")
_STATE = sql.Identifier("intake", "record_state")
_DIRTY = sql.Identifier("intake", "dirty")


@dataclass(frozen=True)
class Landed:
    """How many records a batch changed.

    Attributes:
        accepted: records with a row inserted, changed, brought back or no longer stated.
        deleted: records newly marked deleted.
    """

    accepted: int
    deleted: int


class Landing:
    """Lands batches of one stream over one connection; every call belongs in the caller's transaction.

    The same records in any order, grouping and repetition give the same live rows: each record's latest
    statement decides, and the record state stores its time, for deletions too.
    """

    def __init__(
        self, connection: Connection, source: str, stream: str, entities: Mapping[str, Entity], home: Path
    ) -> None:
        """Prepare; `home` has the key ring."""
        self._home = home
        self._connection = connection
        self._names: dict[str, Any] = {"source": source, "stream": stream, "of_person": OF_PERSON}
        # One order everywhere, so that two processes never deadlock on the tables.
        self._entities = {name: entities[name] for name in sorted(entities)}
        self._no_longer_mapped: list[Entity] | None = None

    def prepare(self) -> None:
        """Create the temporary tables of this session, which each commit empties.

        The tables of an entity's rows are created when first needed: each makes every commit slower.
        """
        self._run(statements.STAGES)

    def land(self, batch: Batch) -> Landed:
        """Write a batch's records and deletions, and mark dirty the person records that changed."""
        frames = {name: batch.frames[name] for name in self._entities if name in batch.frames}
        # Rows in key order make index entries cheap: each goes to the page just written.
        ciphers = self._ciphers()
        frames = {
            name: self._encrypted(_items_once(frame, self._entities[name]).sort("source_key"), name, ciphers)
            for name, frame in frames.items()
        }
        stated = fingerprinted(batch.accepted_keys.sort("source_key"), frames, self._entities)
        fresh, restated = self._split(stated)
        accepted = 0
        if restated.height:
            accepted += self._land_restated(restated, _only(frames, restated, of=stated))
        if fresh.height:
            accepted += self._land_fresh(fresh, _only(frames, fresh, of=stated))
        self._copy(batch.deleted, sql.Identifier("pg_temp", "tombstone"), _STATEMENT)
        deleted = self._delete_stated() if batch.deleted.height else 0
        self._run(statements.RESOLVE)
        if restated.height or deleted:
            self.mark_dirty()
        return Landed(accepted=accepted, deleted=deleted)

    def delete_records(self) -> None:
        """Mark deleted every row of the records listed in the temporary table `deleted`."""
        for entity in self._entities.values():
            self._run(statements.delete_records(entity))

    def mark_dirty(self) -> None:
        """Mark dirty the records whose `OF_PERSON` rows this transaction changed or deleted."""
        self._run(statements.MARK_DIRTY)

    def _ciphers(self) -> Ciphers:
        with self._connection.cursor() as cursor:
            ciphers = use_keys(cursor, self._home)
        ciphers.require_one_key()
        return ciphers

    def _encrypted(self, frame: pl.DataFrame, entity: str, ciphers: Ciphers) -> pl.DataFrame:
        """Encrypt the sensitive attributes; under one key, a value unchanged has its ciphertext unchanged."""
        source, stream = (self._names[name] for name in _STREAM)
        return encrypted_frame(frame, self._entities[entity], source, stream, ciphers)

    def _split(self, stated: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Split into statements of new records, and those of stored records that may change something."""
        self._copy(stated, sql.Identifier("pg_temp", "stated"), _PRINTED)
        verdicts = dict(self._fetch(statements.COMPARE))
        if outdated := [key for key, verdict in verdicts.items() if verdict == "outdated"]:
            self._run(statements.DROP_OUTDATED, outdated=outdated)
        restated = [key for key, verdict in verdicts.items() if verdict == "restated"]
        key = pl.col("source_key")
        return stated.filter(~key.is_in(list(verdicts))), stated.filter(key.is_in(restated))

    def _land_fresh(self, fresh: pl.DataFrame, frames: Mapping[str, pl.DataFrame]) -> int:
        """Write records that the hub has no state of, and so no rows either; return how many made rows."""
        self._copy_of_stream(fresh, _STATE, _PRINTED)
        for name, frame in frames.items():
            entity = self._entities[name]
            stated = [name for name in entity.attributes if frame[name].null_count() < frame.height]
            self._copy_of_stream(frame, statements.table_of(entity), ("source_key", *stated, "stated_at"))
        of_person = _records_of(frames[name] for name in OF_PERSON if name in frames)
        self._copy_of_stream(of_person, _DIRTY, ("source_key",))
        return _records_of(frames.values()).height

    def _land_restated(self, restated: pl.DataFrame, frames: Mapping[str, pl.DataFrame]) -> int:
        """Write what differs of stored records, and return how many records differed."""
        self._copy(restated, sql.Identifier("pg_temp", "restated"), _PRINTED)
        self._run(statements.KEEP_STATE)
        for name, frame in frames.items():
            entity = self._entities[name]
            self._run(statements.create_stage(entity))
            self._copy(frame, statements.stage_of(entity), ("source_key", *entity.attributes, "stated_at"))
            if frame.height:
                self._run(statements.upsert(entity))
            if entity.item_key or frame.height < restated.height:
                self._run(statements.drop_unstated(entity))
        for entity in self._not_made_by(frames):
            self._run(statements.create_stage(entity))
            self._run(statements.drop_unstated(entity))
        return self._count(statements.COUNT_TOUCHED)

    def _not_made_by(self, frames: Mapping[str, pl.DataFrame]) -> list[Entity]:
        """Entities whose rows an earlier mapping made; looked up once, as this mapping adds none."""
        if self._no_longer_mapped is None:
            others = [entity for name, entity in self._entities.items() if name not in frames]
            self._no_longer_mapped = [each for each in others if self._count(statements.count_any(each))]
        return self._no_longer_mapped

    def _delete_stated(self) -> int:
        deleted = self._run(statements.FIND_DELETED)
        self._run(statements.KEEP_DELETIONS)
        if deleted:
            self.delete_records()
        return deleted

    def _copy_of_stream(self, frame: pl.DataFrame, table: sql.Identifier, columns: Sequence[str]) -> None:
        named = frame.with_columns(pl.lit(self._names[name]).alias(name) for name in _STREAM)
        self._copy(named, table, (*_STREAM, *columns))

    def _copy(self, frame: pl.DataFrame, table: sql.Identifier, columns: Sequence[str]) -> None:
        if frame.height:
            copy_frame(self._connection, frame, table, columns)

    def _run(self, statement: str | sql.Composable, **more: Any) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, {**self._names, **more})
            return int(cursor.rowcount)

    def _fetch(self, statement: str | sql.Composable) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, self._names)
            return cursor.fetchall()

    def _count(self, statement: str | sql.Composable) -> int:
        return int(self._fetch(statement)[0][0])


def _items_once(frame: pl.DataFrame, entity: Entity) -> pl.DataFrame:
    """Keep the last of the items that one record lists several times."""
    if entity.item_key is None:
        return frame
    return frame.unique(["source_key", entity.item_key], keep="last", maintain_order=True)


def _only(
    frames: Mapping[str, pl.DataFrame], records: pl.DataFrame, *, of: pl.DataFrame
) -> Mapping[str, pl.DataFrame]:
    """The rows of `records`, which are a part of the records that made the frames."""
    if records.height == of.height:
        return frames
    return {
        name: frame.join(records.select("source_key"), on="source_key", how="semi", maintain_order="left")
        for name, frame in frames.items()
    }


def _records_of(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The keys of the records with a row in the frames, each once."""
    keys = [frame.select("source_key") for frame in frames]
    return pl.concat(keys).unique() if keys else pl.DataFrame({"source_key": []})
