"""Deletes by absence: marks deleted the records that a complete snapshot no longer shows."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from oncehub.errors import ContractBroken
from oncehub.intake.landing.land import Landing
from oncehub.normalize.batch import Batch
from oncehub.store.connection import Connection

_log = logging.getLogger(__name__)

UNREADABLE = ""
"""The seen key of records whose own key could not be read; no record has an empty key."""

ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)
"""Later than any statement: a stream that reads its snapshot at once covers every record."""

_FULL_READ = """
select run_id from intake.run left join intake.checkpoint using (run_id)
where run.source = %(source)s and run.stream = %(stream)s and run.mode = 'full'
  and (run.state = 'running' or checkpoint.run_id is not null)
order by run_id desc
limit 1
"""

_SHOWN_UNTIL = "select shown_until from intake.checkpoint where run_id = %(run_id)s"

_REMEMBER = """
insert into intake.seen (run_id, source_key)
select %(run_id)s, shown.source_key from unnest(%(keys)s::text[]) as shown (source_key)
on conflict (run_id, source_key) do nothing
"""

_FIND_ABSENT = """
insert into pg_temp.deleted
select state.source_key
from intake.record_state as state
where state.source = %(source)s and state.stream = %(stream)s and state.deletion is null
  and state.stated_at <= %(shown_until)s
  and not exists (
      select from intake.seen where seen.run_id = %(run_id)s and seen.source_key = state.source_key
  )
"""

_COUNT_LIVE = """
select count(*) from intake.record_state
where source = %(source)s and stream = %(stream)s and deletion is null
"""

_MARK_ABSENT = """
update intake.record_state set deletion = 'absent'
where source = %(source)s and stream = %(stream)s
  and source_key in (select source_key from pg_temp.deleted)
"""

# A rejected record that the source no longer has needs no second try.
_RESOLVE_ABSENT = """
update intake.rejected set resolved_at = now()
where source = %(source)s and stream = %(stream)s and resolved_at is null and source_key is not null
  and coalesce(stated_at, received_at) <= %(shown_until)s
  and not exists (
      select from intake.seen where seen.run_id = %(run_id)s and seen.source_key = rejected.source_key
  )
"""

_UNREADABLE_SEEN = (
    "select count(*) from intake.seen where run_id = %(run_id)s and source_key = %(unreadable)s"
)


class Snapshot:
    """The records that one full snapshot has shown; calls belong in the caller's transaction."""

    def __init__(self, connection: Connection, run_id: int, source: str, stream: str) -> None:
        self._connection = connection
        self._names: dict[str, Any] = {
            "run_id": run_id,
            "source": source,
            "stream": stream,
            "unreadable": UNREADABLE,
        }

    @classmethod
    def in_progress(cls, connection: Connection, source: str, stream: str) -> Snapshot | None:
        """Return the snapshot of the stream's unfinished full read, if there is one."""
        with connection.cursor() as cursor:
            cursor.execute(_FULL_READ, {"source": source, "stream": stream})
            row = cursor.fetchone()
        return cls(connection, row[0], source, stream) if row else None

    def note_seen(self, batch: Batch) -> None:
        """Note the records of the batch as seen, rejected ones too."""
        keys = {UNREADABLE if each.source_key is None else each.source_key for each in batch.rejected}
        keys.update(pl.concat([batch.accepted_keys["source_key"], batch.deleted["source_key"]]))
        self._run(_REMEMBER, keys=[key for key in keys if "\0" not in key])

    def forget(self) -> None:
        """Drop the notes: the snapshot is complete, given up, or starts again."""
        self._run("delete from intake.seen where run_id = %(run_id)s")

    def shown_until(self) -> datetime | None:
        """Return the latest time of statement in the pages of the snapshot itself; None without any."""
        latest: datetime | None = self._one(_SHOWN_UNTIL)
        return latest

    def delete_absent(
        self, landing: Landing, at_most: float, *, shown_until: datetime | None = ANY_TIME
    ) -> int:
        """Mark deleted the records that the complete snapshot lacks, and return their number.

        A snapshot with a record whose key cannot be read deletes nothing: that record may be any absent one.

        Args:
            landing: of the stream.
            at_most: the largest share of the live records that may be absent.
            shown_until: records stated later stay, as the snapshot may be older than they; None: all stay.

        Raises:
            ContractBroken: when more than the share `at_most` of the live records is absent.
        """
        if self._one(_UNREADABLE_SEEN):
            _log.warning("%(source)s.%(stream)s: a key was unreadable, absence deletes nothing", self._names)
            return 0
        live = self._one(_COUNT_LIVE)
        absent = self._run(_FIND_ABSENT, shown_until=shown_until)
        if absent > at_most * live:
            raise ContractBroken(
                f"{self._names['source']}.{self._names['stream']}: the snapshot lacks {absent} of {live} "
                f"records, more than deletes.at_most {at_most:g}; nothing was deleted"
            )
        self._run(_RESOLVE_ABSENT, shown_until=shown_until)
        if absent:
            self._run(_MARK_ABSENT)
            landing.delete_records()
            landing.mark_dirty()
        return absent

    def _run(self, statement: str, **more: Any) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, {**self._names, **more})
            return int(cursor.rowcount)

    def _one(self, statement: str) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, self._names)
            row = cursor.fetchone()
        return row[0] if row else None
