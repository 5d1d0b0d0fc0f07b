"""Landing one batch: what differs is written, what is older than the held statement is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from psycopg2 import sql

from oncehub.intake import statements
from oncehub.model.entities import Entity
from oncehub.normalize import Batch
from oncehub.store.connection import Connection
from oncehub.store.frames import copy_frame

OF_PERSON = ["person", "former_identifier"]
"""Entities whose change makes a person record dirty."""

_STATEMENT = ("source_key", "stated_at")


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
        self, connection: Connection, source: str, stream: str, entities: Mapping[str, Entity]
    ) -> None:
        self._connection = connection
        self._names: dict[str, Any] = {"source": source, "stream": stream, "of_person": OF_PERSON}
        # One order everywhere, so that two processes never wait for each other's tables.
        self._entities = {name: entities[name] for name in sorted(entities)}

    def prepare(self) -> None:
        """Make the temporary tables of this session; they empty themselves at every commit."""
        self._run(statements.STAGES)
        for entity in self._entities.values():
            self._run(statements.create_stage(entity))

    def land(self, batch: Batch) -> Landed:
        """Write a batch's records and deletions, and mark dirty the person records that changed."""
        self._copy(batch.accepted_keys, sql.Identifier("pg_temp", "stated"), _STATEMENT)
        outdated = [key for (key,) in self._fetch(statements.DROP_OUTDATED)]
        self._run(statements.HOLD)
        stated = batch.accepted_keys.height - len(outdated)
        for name, entity in self._entities.items():
            if name in batch.frames:
                self._land_entity(entity, _current(batch.frames[name], entity, outdated), stated)
        accepted = self._count(statements.COUNT_TOUCHED)
        self._copy(batch.deleted, sql.Identifier("pg_temp", "gone"), _STATEMENT)
        deleted = self._delete_stated() if batch.deleted.height else 0
        self._run(statements.RESOLVE)
        self.mark_dirty()
        return Landed(accepted=accepted, deleted=deleted)

    def delete_leaving(self) -> None:
        """Mark deleted every row of the records listed in the temporary table `leaving`."""
        for entity in self._entities.values():
            self._run(statements.delete_leaving(entity))

    def mark_dirty(self) -> None:
        """Mark dirty the person records whose rows this transaction touched."""
        self._run(statements.MARK_DIRTY)

    def _land_entity(self, entity: Entity, frame: pl.DataFrame, stated: int) -> None:
        self._copy(frame, statements.stage_of(entity), ("source_key", *entity.attributes, "stated_at"))
        if frame.height:
            self._run(statements.upsert(entity))
        if entity.item_key or frame.height < stated:
            self._run(statements.drop_unstated(entity))

    def _delete_stated(self) -> int:
        leaving = self._run(statements.FIND_LEAVING)
        self._run(statements.HOLD_DELETIONS)
        if leaving:
            self.delete_leaving()
        return leaving

    def _copy(self, frame: pl.DataFrame, table: sql.Identifier, columns: tuple[str, ...]) -> None:
        if frame.height:
            copy_frame(self._connection, frame, table, columns)

    def _run(self, statement: str | sql.Composed) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, self._names)
            return int(cursor.rowcount)

    def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, self._names)
            return cursor.fetchall()

    def _count(self, statement: str) -> int:
        return int(self._fetch(statement)[0][0])


def _current(frame: pl.DataFrame, entity: Entity, outdated: list[str]) -> pl.DataFrame:
    """Leave out rows of outdated statements, and of items that one record lists twice all but the last."""
    if outdated:
        frame = frame.filter(~pl.col("source_key").is_in(outdated))
    if entity.item_key:
        frame = frame.unique(["source_key", entity.item_key], keep="last", maintain_order=True)
    return frame
