"""Landing one batch: what differs is written, what is older than the held statement is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from psycopg2 import sql

from oncehub.config.entities import Entity
from oncehub.encryption.cipher import Ciphers, use_keys
from oncehub.encryption.field_values import encrypted_frame, sensitive_of
from oncehub.encryption.reencryption import record_fields
from oncehub.intake.landing import statements
from oncehub.intake.landing.fingerprints import fingerprinted
from oncehub.normalize import Batch
from oncehub.store.connection import Connection
from oncehub.store.frames import copy_frame

OF_PERSON = ["person", "former_identifier"]
"""Entities whose change makes a person record dirty."""

_STATEMENT = ("source_key", "stated_at")
_PRINTED = (*_STATEMENT, "fingerprint")
_STREAM = ("source", "stream")
_HELD = sql.Identifier("intake", "held")
_DIRTY = sql.Identifier("intake", "dirty")


@dataclass(frozen=True)
class Landed:
    """What a batch changed, in records.

    Attributes:
        accepted: with any row inserted, changed, brought back or no longer stated.
        deleted: newly marked deleted.
    """

    accepted: int
    deleted: int


class Landing:
    """Lands batches of one stream over one connection; every call belongs into the caller's transaction.

    Any order, grouping and repetition of the same records end in the same living rows, since each record's
    latest statement decides and `intake.held` remembers when that was, deletions included.
    """

    def __init__(
        self, connection: Connection, source: str, stream: str, entities: Mapping[str, Entity], home: Path
    ) -> None:
        """Prepare; `home` has the key ring."""
        self._home = home
        self._connection = connection
        self._names: dict[str, Any] = {"source": source, "stream": stream, "of_person": OF_PERSON}
        # One order everywhere, so that two processes never wait for each other's tables.
        self._entities = {name: entities[name] for name in sorted(entities)}
        self._formerly_made: list[Entity] | None = None

    def prepare(self) -> None:
        """Make the temporary tables of this session; they empty themselves at every commit.

        Those that take an entity's rows come when they are first needed: emptying one costs every commit.
        """
        self._run(statements.STAGES)

    def land(self, batch: Batch) -> Landed:
        """Write a batch's records and deletions, and mark dirty the person records that changed."""
        frames = {name: batch.frames[name] for name in self._entities if name in batch.frames}
        # In the order of the key an index entry is cheap: the page it goes to is the one just written.
        ciphers = self._ciphers()
        frames = {
            name: self._encrypted(_items_once(frame, self._entities[name]).sort("source_key"), name, ciphers)
            for name, frame in frames.items()
        }
        stated = fingerprinted(batch.accepted_keys.sort("source_key"), frames, self._entities)
        fresh, restated = self._told_apart(stated)
        accepted = 0
        if restated.height:
            self._reencrypt(restated, frames, ciphers)
            accepted += self._land_restated(restated, _only(frames, restated, of=stated))
        if fresh.height:
            accepted += self._land_fresh(fresh, _only(frames, fresh, of=stated))
        self._copy(batch.deleted, sql.Identifier("pg_temp", "gone"), _STATEMENT)
        deleted = self._delete_stated() if batch.deleted.height else 0
        self._run(statements.RESOLVE)
        if restated.height or deleted:
            self.mark_dirty()
        return Landed(accepted=accepted, deleted=deleted)

    def delete_leaving(self) -> None:
        """Mark deleted every row of the records listed in the temporary table `leaving`."""
        for entity in self._entities.values():
            self._run(statements.delete_leaving(entity))

    def mark_dirty(self) -> None:
        """Mark dirty the person records of which rows were changed or deleted in this transaction."""
        self._run(statements.MARK_DIRTY)

    def _ciphers(self) -> Ciphers:
        with self._connection.cursor() as cursor:
            return use_keys(cursor, self._home)

    def _encrypted(self, frame: pl.DataFrame, entity: str, ciphers: Ciphers) -> pl.DataFrame:
        """Encrypt the sensitive attributes; under one key, a value unchanged has its ciphertext unchanged."""
        source, stream = (self._names[name] for name in _STREAM)
        return encrypted_frame(frame, self._entities[entity], source, stream, ciphers)

    def _told_apart(self, stated: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The statements of records never held before, and those of held ones that may change something."""
        self._copy(stated, sql.Identifier("pg_temp", "stated"), _PRINTED)
        standings = dict(self._fetch(statements.STANDINGS))
        if outdated := [key for key, standing in standings.items() if standing == "outdated"]:
            self._run(statements.DROP_OUTDATED, outdated=outdated)
        restated = [key for key, standing in standings.items() if standing == "restated"]
        key = pl.col("source_key")
        return stated.filter(~key.is_in(list(standings))), stated.filter(key.is_in(restated))

    def _land_fresh(self, fresh: pl.DataFrame, frames: Mapping[str, pl.DataFrame]) -> int:
        """Write records of which the hub holds nothing, and so no row either; return how many made any."""
        self._copy_of_stream(fresh, _HELD, _PRINTED)
        for name, frame in frames.items():
            entity = self._entities[name]
            stated = [name for name in entity.attributes if frame[name].null_count() < frame.height]
            self._copy_of_stream(frame, statements.table_of(entity), ("source_key", *stated, "stated_at"))
        of_person = _records_of(frames[name] for name in OF_PERSON if name in frames)
        self._copy_of_stream(of_person, _DIRTY, ("source_key",))
        return _records_of(frames.values()).height

    def _land_restated(self, restated: pl.DataFrame, frames: Mapping[str, pl.DataFrame]) -> int:
        """Write what differs of records held already, and return how many that were."""
        self._copy(restated, sql.Identifier("pg_temp", "restated"), _PRINTED)
        self._run(statements.HOLD)
        for name, frame in frames.items():
            entity = self._entities[name]
            self._run(statements.create_stage(entity))
            self._copy(frame, statements.stage_of(entity), ("source_key", *entity.attributes, "stated_at"))
            if frame.height:
                self._run(statements.upsert(entity))
            if entity.item_key or frame.height < restated.height:
                self._run(statements.drop_unstated(entity))
        for entity in self._no_longer_made(frames):
            self._run(statements.create_stage(entity))
            self._run(statements.drop_unstated(entity))
        return self._count(statements.COUNT_TOUCHED)

    def _reencrypt(self, restated: pl.DataFrame, frames: Iterable[str], ciphers: Ciphers) -> None:
        """Bring the stored values of these records under the primary key, so that equals compare equal."""
        sensitive = [entity for name in frames if sensitive_of(entity := self._entities[name])]
        if not sensitive or not ciphers.rotating:
            return
        source, stream = (self._names[name] for name in _STREAM)
        rows = statements.of_records(source, stream, restated["source_key"].to_list())
        with self._connection.cursor() as cursor:
            for entity in sensitive:
                record_fields(entity).reencrypt_rows(cursor, ciphers, rows)

    def _no_longer_made(self, frames: Mapping[str, pl.DataFrame]) -> list[Entity]:
        """Entities of which the stream has rows from an earlier mapping; asked once, as none are added."""
        if self._formerly_made is None:
            others = [entity for name, entity in self._entities.items() if name not in frames]
            self._formerly_made = [each for each in others if self._count(statements.count_any(each))]
        return self._formerly_made

    def _delete_stated(self) -> int:
        leaving = self._run(statements.FIND_LEAVING)
        self._run(statements.HOLD_DELETIONS)
        if leaving:
            self.delete_leaving()
        return leaving

    def _copy_of_stream(self, frame: pl.DataFrame, table: sql.Identifier, columns: Sequence[str]) -> None:
        named = frame.with_columns(pl.lit(self._names[name]).alias(name) for name in _STREAM)
        self._copy(named, table, (*_STREAM, *columns))

    def _copy(self, frame: pl.DataFrame, table: sql.Identifier, columns: Sequence[str]) -> None:
        if frame.height:
            copy_frame(self._connection, frame, table, columns)

    def _run(self, statement: str | sql.Composed, **more: Any) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, {**self._names, **more})
            return int(cursor.rowcount)

    def _fetch(self, statement: str | sql.Composed) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, self._names)
            return cursor.fetchall()

    def _count(self, statement: str | sql.Composed) -> int:
        return int(self._fetch(statement)[0][0])


def _items_once(frame: pl.DataFrame, entity: Entity) -> pl.DataFrame:
    """Leave out of the items that one record lists twice all but the last."""
    if entity.item_key is None:
        return frame
    return frame.unique(["source_key", entity.item_key], keep="last", maintain_order=True)


def _only(
    frames: Mapping[str, pl.DataFrame], records: pl.DataFrame, *, of: pl.DataFrame
) -> Mapping[str, pl.DataFrame]:
    """The rows that belong to `records`, which are some `of` those that made the frames."""
    if records.height == of.height:
        return frames
    return {
        name: frame.join(records.select("source_key"), on="source_key", how="semi", maintain_order="left")
        for name, frame in frames.items()
    }


def _records_of(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The keys of the records that have any row in the frames, each once."""
    keys = [frame.select("source_key") for frame in frames]
    return pl.concat(keys).unique() if keys else pl.DataFrame({"source_key": []})
