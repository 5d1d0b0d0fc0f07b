"""Lists, shows and replays rejected records; `rejected_records` stores them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl
import psycopg2
from psycopg2.extras import RealDictCursor

from oncehub.config.connector import Connector
from oncehub.config.entities import load_entities
from oncehub.connect.formats.json import parse_json
from oncehub.encryption.cipher import Ciphers, load_ciphers
from oncehub.errors import ConfigError, ContractStopped
from oncehub.intake.drift import note_drift
from oncehub.intake.landing.land import Landing
from oncehub.intake.quarantine.rejected_records import Kind, Quarantine
from oncehub.intake.runs.run import Counts, Run
from oncehub.intake.runs.start import begin_replay
from oncehub.intake.runs.stream_locks import lock_for_landing, stream_lock
from oncehub.normalize.batch import Batch
from oncehub.normalize.normalizer import Normalizer, load_normalizer
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.failures import refuses_values, without_values
from oncehub.store.migrate import opened
from oncehub.traces import step

_BATCH = 500
"""The most rejected records in one transaction."""

_LIST = """
select rejected_id, run_id, source, stream, source_key is not null as has_key, kind, stage, reason, path,
    stated_at, received_at, resolved_at
from intake.rejected
where (%(source)s is null or source = %(source)s) and (%(stream)s is null or stream = %(stream)s)
  and (%(include_resolved)s or resolved_at is null)
order by rejected_id desc
limit %(limit)s
"""

_SHOW = """
select rejected_id, source, stream, stage, reason, path, received_at, key_id, digest, payload
from intake.rejected where rejected_id = %s
"""

_OPEN = """
select rejected_id, key_id, digest, payload
from intake.rejected
where source = %(source)s and stream = %(stream)s and kind = %(kind)s and resolved_at is null
  and rejected_id > %(after)s and (%(ids)s::bigint[] is null or rejected_id = any (%(ids)s))
order by rejected_id
limit %(limit)s
"""

_RESOLVE = """
update intake.rejected set resolved_at = now() where rejected_id = any (%s) and resolved_at is null
"""

_COUNT_LATEST = """
select count(*)
from intake.record_state
join unnest(%(keys)s::text[], %(times)s::timestamptz[]) as statement (source_key, stated_at)
    using (source_key, stated_at)
where source = %(source)s and stream = %(stream)s and (deletion is not null) = %(deleted)s
"""


@dataclass(frozen=True)
class RejectedRecord:
    """A rejected record, without its content.

    Attributes:
        has_key: whether its key could be read.
        kind: `records`, or `deletions` for a tombstone.
        path: source field for stage `contract`, else `entity.attribute`.
        resolved_at: when a good version of the record, its deletion or a replay made it obsolete.
    """

    rejected_id: int
    run_id: int
    source: str
    stream: str
    has_key: bool
    kind: Kind
    stage: str
    reason: str
    path: str
    stated_at: datetime | None
    received_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True)
class RejectedPayload:
    """A decrypted rejected record; `payload` is personal data."""

    rejected_id: int
    source: str
    stream: str
    stage: str
    reason: str
    path: str
    received_at: datetime
    payload: Any


@dataclass(frozen=True)
class ReplayReport:
    """The result of a replay, in records; `tried` = landed + outdated + rejected.

    Attributes:
        outdated: resolved without landing, as a later statement of the record is stored.
        rejected: still bad; each stays in quarantine with its new reason.
    """

    tried: int = 0
    landed: int = 0
    outdated: int = 0
    rejected: int = 0


Listener = Callable[[ReplayReport], None]
"""Receives the running totals."""


def list_rejected(
    store: Connection,
    source: str | None = None,
    stream: str | None = None,
    *,
    include_resolved: bool = False,
    limit: int = 100,
) -> list[RejectedRecord]:
    """Return rejected records, newest first; resolved ones only with `include_resolved`."""
    names = {"source": source, "stream": stream, "include_resolved": include_resolved, "limit": limit}
    with store, store.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LIST, names)
        return [RejectedRecord(**row) for row in cursor.fetchall()]


def show_rejected(settings: Settings, store: Connection, rejected_id: int) -> RejectedPayload:
    """Decrypt one rejected record.

    Raises:
        ConfigError: when there is none of this number, or its key is not there.
    """
    with store, store.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_SHOW, (rejected_id,))
        row = cursor.fetchone()
        ciphers = load_ciphers(settings.home, store)
    if row is None:
        raise ConfigError(f"there is no rejected record {rejected_id}; see: oncehub quarantine list --all")
    quarantine = Quarantine(settings, row["source"], row["stream"])
    payload = _decrypted(quarantine, row, ciphers)
    try:
        content = orjson.loads(payload)
    except orjson.JSONDecodeError:
        # No JSON, which is why it was rejected: shown as the source wrote it.
        content = payload.decode("utf-8", "backslashreplace")
    return RejectedPayload(**row, payload=content)


def replay(
    settings: Settings,
    connector: Connector,
    stream: str,
    *,
    database: Connection | None = None,
    ids: Sequence[int] | None = None,
    report: Listener | None = None,
) -> ReplayReport:
    """Land the open rejected records of a stream (all, or `ids`) by the present contract and mapping.

    Records that pass land like any other: an older statement changes nothing. Interrupted at any instant, a
    replay leaves in quarantine what has not landed yet. `report` receives the totals after every batch. A
    `database` given by the caller must not be in a transaction.

    Raises:
        ConfigError: a wrong mapping, contract or stream name, or a record's key that is not in the ring.
        ContractStopped: when a record differs in a way for which its contract says `stop`.
        RunBusy: another process replays the stream.
        StoreError: the database cannot be used.
    """
    normalizer = load_normalizer(settings, connector, stream)
    name = f"{connector.source}.{stream}"
    with (
        opened(settings, database) as store,
        without_values(f"replaying {name}"),
        stream_lock(store, "replay", name),
    ):
        return _Replay(settings, connector.source, stream, store, normalizer).run(ids, report)


class _Replay:
    def __init__(
        self, settings: Settings, source: str, stream: str, store: Connection, normalizer: Normalizer
    ) -> None:
        self._names = (source, stream)
        self._name = f"{source}.{stream}"
        self._store = store
        self._normalizer = normalizer
        self._home = settings.home
        self._quarantine = Quarantine(settings, source, stream)
        self._landing = Landing(store, source, stream, load_entities(settings.schemas), settings.home)

    def run(self, ids: Sequence[int] | None, listener: Listener | None) -> ReplayReport:
        with self._store:
            self._landing.prepare()
            definition = self._normalizer.definition
            run = begin_replay(self._store, *self._names, definition=definition, now=datetime.now(UTC))
        total = ReplayReport()
        with (
            step("replay", source=run.source, stream=run.stream, run=run.name),
            run.failing(lambda _: False),
            without_values(f"replaying {self._name}"),
        ):
            for kind in ("records", "deletions"):
                after = 0
                while found := self._replay_next(run, kind, after, ids):
                    after, batch = found
                    total = _sum(total, batch)
                    if listener:
                        listener(total)
            with self._store:
                run.succeed()
        return total

    def _replay_next(
        self, run: Run, kind: Kind, after: int, ids: Sequence[int] | None
    ) -> tuple[int, ReplayReport] | None:
        """Replay the next rejected records; one that the database refuses stays in quarantine, as it was."""
        limit = _BATCH
        while True:
            try:
                return self._replay_batch(run, kind, after, ids, limit)
            except psycopg2.Error as error:
                if not refuses_values(error):
                    raise
            if limit == 1:
                with self._store:
                    [row] = self._open(kind, after, ids, limit)
                return row["rejected_id"], ReplayReport(tried=1, rejected=1)
            limit //= 2

    def _replay_batch(
        self, run: Run, kind: Kind, after: int, ids: Sequence[int] | None, limit: int
    ) -> tuple[int, ReplayReport] | None:
        """Replay the next rejected records in one transaction; return the last id and the result."""
        with self._store:
            # Lock before reading: a record that another reader makes obsolete meanwhile must not land.
            lock_for_landing(self._store, self._name)
            rows = self._open(kind, after, ids, limit)
            if not rows:
                return None
            ciphers = load_ciphers(self._home, self._store)
            payloads = {row["rejected_id"]: _decrypted(self._quarantine, row, ciphers) for row in rows}
            records = [parse_json(payload) for payload in payloads.values()]
            batch = self._normalizer.normalize(records, deletions=kind == "deletions")
            if batch.stop:
                raise ContractStopped(f"{self._name}: {batch.stop}")
            return rows[-1]["rejected_id"], self._landed(run, kind, payloads, batch)

    def _landed(self, run: Run, kind: Kind, payloads: Mapping[int, bytes], batch: Batch) -> ReplayReport:
        landed = self._landing.land(batch)
        latest = self._latest(batch.accepted_keys, deleted=False) + self._latest(batch.deleted, deleted=True)
        self._quarantine.keep(self._store, run.run_id, batch.rejected, kind)
        bad = {each.payload for each in batch.rejected}
        self._resolve([number for number, payload in payloads.items() if payload not in bad])
        drift = note_drift(self._store, run.run_id, *self._names, batch.drift)
        run.count(Counts.of(batch, landed, drift=drift))
        outdated = len(payloads) - len(batch.rejected) - latest
        return ReplayReport(len(payloads), latest, outdated, len(batch.rejected))

    def _open(self, kind: Kind, after: int, ids: Sequence[int] | None, limit: int) -> list[dict[str, Any]]:
        values = {"kind": kind, "after": after, "ids": None if ids is None else list(ids), "limit": limit}
        with self._store.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_OPEN, {**self._of_stream(), **values})
            return [dict(row) for row in cursor.fetchall()]

    def _latest(self, keys: pl.DataFrame, *, deleted: bool) -> int:
        """Count the statements that are the latest of their records now."""
        values = {"keys": keys["source_key"].to_list(), "times": keys["stated_at"].to_list()}
        with self._store.cursor() as cursor:
            cursor.execute(_COUNT_LATEST, {**self._of_stream(), **values, "deleted": deleted})
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def _resolve(self, ids: Sequence[int]) -> None:
        with self._store.cursor() as cursor:
            cursor.execute(_RESOLVE, (list(ids),))

    def _of_stream(self) -> dict[str, Any]:
        return {"source": self._names[0], "stream": self._names[1]}


def _decrypted(quarantine: Quarantine, row: dict[str, Any], ciphers: Ciphers) -> bytes:
    """Take the encrypted payload out of a row, and decrypt it."""
    return quarantine.decrypt(row.pop("key_id"), bytes(row.pop("digest")), bytes(row.pop("payload")), ciphers)


def _sum(total: ReplayReport, batch: ReplayReport) -> ReplayReport:
    return ReplayReport(
        tried=total.tried + batch.tried,
        landed=total.landed + batch.landed,
        outdated=total.outdated + batch.outdated,
        rejected=total.rejected + batch.rejected,
    )
