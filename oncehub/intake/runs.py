"""Runs: one reading of one stream, its window, its counters, and where an interrupted one goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg2.extras import Json

from oncehub.connect import PageState, Window
from oncehub.model.connector import Stream
from oncehub.store.connection import Connection

Mode = Literal["full", "changes"]

_UNFINISHED = """
select run.run_id, run.mode, run.window_from, run.window_until, run.started_at,
       checkpoint.run_id is not null as begun, checkpoint.page
from intake.run left join intake.checkpoint using (run_id)
where run.source = %(source)s and run.stream = %(stream)s
  and (run.state = 'running' or run.state = 'failed' and checkpoint.run_id is not null)
order by run.run_id desc
limit 1
"""

_TAKE_OVER = """
update intake.run set state = 'running', finished_at = null, error = null where run_id = %(run_id)s
"""

_OPEN = """
insert into intake.run (source, stream, mode, window_from, window_until, started_at)
values (%(source)s, %(stream)s, %(mode)s, %(since)s, %(until)s, %(now)s)
returning run_id
"""

_CURSOR = "select position from intake.cursor where source = %(source)s and stream = %(stream)s"

_COUNT = """
update intake.run
set pages = pages + 1, read = read + %(read)s, accepted = accepted + %(accepted)s,
    unchanged = unchanged + %(read)s - %(accepted)s - %(quarantined)s - %(deleted_read)s,
    quarantined = quarantined + %(quarantined)s, deleted_read = deleted_read + %(deleted_read)s,
    deleted = deleted + %(deleted)s
where run_id = %(run_id)s
"""

_SAVE_CHECKPOINT = """
insert into intake.checkpoint (source, stream, run_id, page, high_mark)
values (%(source)s, %(stream)s, %(run_id)s, %(page)s, %(high_mark)s)
on conflict (source, stream) do update
set run_id = excluded.run_id, page = excluded.page, saved_at = now(),
    high_mark = greatest(checkpoint.high_mark, excluded.high_mark)
"""

# least() and greatest() pass over nulls: without a page there is no checkpoint, without a mark no cursor.
_ADVANCE_CURSOR = """
insert into intake.cursor (source, stream, position)
select source, stream, least(high_mark, %(bound)s)
from intake.checkpoint
where source = %(source)s and stream = %(stream)s and high_mark is not null
on conflict (source, stream) do update
set position = excluded.position, advanced_at = now()
where excluded.position > cursor.position
"""

_DROP_CHECKPOINT = "delete from intake.checkpoint where source = %(source)s and stream = %(stream)s"

_CLOSE = """
update intake.run
set state = %(state)s, finished_at = now(), error = %(error)s, deleted = deleted + %(deleted)s
where run_id = %(run_id)s
"""

_TOTALS = """
select pages, read, accepted, unchanged, quarantined, deleted, state = 'succeeded' as done
from intake.run where run_id = %(run_id)s
"""


@dataclass(frozen=True)
class RunReport:
    """How far a run is, in records; `read` = accepted + unchanged + quarantined + deletions read.

    Attributes:
        window: what was asked for; no lower end for a full read, none at all where a source knows no changes.
        accepted: changed anything.
        unchanged: stated nothing new.
        quarantined: rejected.
        deleted: newly marked deleted, by flag, tombstone or absence.
        seconds: worked on it by this process.
        done: True once the stream was read to its end.
    """

    run_id: int
    source: str
    stream: str
    mode: Mode
    window: Window
    pages: int
    read: int
    accepted: int
    unchanged: int
    quarantined: int
    deleted: int
    seconds: float
    done: bool


@dataclass
class Run:
    """A run in progress; every call that writes belongs into the caller's transaction.

    Attributes:
        resume: state of the next page; None to begin with the first.
        all_landed: only the end of the run is missing.
    """

    connection: Connection
    run_id: int
    source: str
    stream: str
    mode: Mode
    window: Window
    resume: PageState | None
    all_landed: bool
    started_at: datetime
    _begun_at: float = field(default_factory=time.monotonic)

    def left_behind(self, spec: Stream, now: datetime) -> bool:
        """Tell whether the run began so long ago that what changed since deserves a reading of its own.

        Of a full snapshot that another process had read to its end, nobody knows whether a newer one is out.
        """
        if spec.changes is None:
            return self.all_landed
        return now - self.started_at > spec.changes.overlap

    def count(self, *, read: int, accepted: int, quarantined: int, deleted_read: int, deleted: int) -> None:
        """Add one page to the counters."""
        counts = {"read": read, "accepted": accepted, "quarantined": quarantined}
        self._run(_COUNT, **counts, deleted_read=deleted_read, deleted=deleted)

    def save_checkpoint(self, page: PageState | None, high_mark: datetime | None) -> None:
        """Note the next page (None when all have landed) and the latest statement time of this one."""
        self._run(_SAVE_CHECKPOINT, page=None if page is None else Json(page), high_mark=high_mark)

    def succeed(self, deleted_by_absence: int) -> None:
        """Close the run and move the cursor, for streams that can be asked for changes."""
        if self.window.until:
            # What was stated later may still be missing from what was read.
            self._run(_ADVANCE_CURSOR, bound=self.window.until)
        self._run(_DROP_CHECKPOINT)
        self._run(_CLOSE, state="succeeded", error=None, deleted=deleted_by_absence)

    def fail(self, error: str, *, keep_checkpoint: bool) -> None:
        """Close the run; with its checkpoint kept, the next one goes on where it stopped."""
        if not keep_checkpoint:
            self._run(_DROP_CHECKPOINT)
        self._run(_CLOSE, state="failed", error=error, deleted=0)

    def report(self) -> RunReport:
        """Read the counters."""
        with self.connection.cursor() as cursor:
            cursor.execute(_TOTALS, {"run_id": self.run_id})
            row = cursor.fetchone()
        assert row is not None
        names = ("pages", "read", "accepted", "unchanged", "quarantined", "deleted", "done")
        return RunReport(
            run_id=self.run_id,
            source=self.source,
            stream=self.stream,
            mode=self.mode,
            window=self.window,
            seconds=time.monotonic() - self._begun_at,
            **dict(zip(names, row, strict=True)),
        )

    def _run(self, statement: str, **values: Any) -> None:
        names = {"run_id": self.run_id, "source": self.source, "stream": self.stream}
        with self.connection.cursor() as cursor:
            cursor.execute(statement, {**names, **values})


def begin(
    connection: Connection, source: str, stream: str, spec: Stream, *, full: bool, now: datetime
) -> Run:
    """Go on with the stream's unfinished run, or open a new one; belongs into the caller's transaction.

    A full read that was asked for is not satisfied by an unfinished read of changes: that one is closed.
    """
    names = {"source": source, "stream": stream}
    unfinished = _one(connection, _UNFINISHED, names)
    if unfinished:
        run = _taken_over(connection, names, unfinished)
        if run.mode == "full" or not full:
            return run
        run.fail("given up for a full read", keep_checkpoint=False)
    mode, window = _window(connection, names, spec, full=full, now=now)
    values = {**names, "mode": mode, "since": window.since, "until": window.until, "now": now}
    opened = _one(connection, _OPEN, values)
    assert opened is not None
    return Run(connection, opened[0], source, stream, mode, window, None, False, now)


def _taken_over(connection: Connection, names: dict[str, Any], row: Sequence[Any]) -> Run:
    run_id, mode, since, until, started_at, begun, page = row
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_OVER, {"run_id": run_id})
    window = Window(since, until)
    all_landed = begun and page is None
    place = (names["source"], names["stream"])
    return Run(connection, run_id, *place, mode, window, page, all_landed, started_at)


def _window(
    connection: Connection, names: dict[str, Any], spec: Stream, *, full: bool, now: datetime
) -> tuple[Mode, Window]:
    position = _one(connection, _CURSOR, names)
    if spec.changes is None:
        return "full", Window(None, None)
    until = now - spec.changes.skew
    if full or position is None:
        # With an upper bound, what moves while pages are read leaves the listing and shows in its total.
        return "full", Window(None, until)
    since = position[0] - spec.changes.overlap
    # Never before `since`, should the machine's clock have been set back.
    return "changes", Window(since, max(since, until))


def _one(connection: Connection, statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
