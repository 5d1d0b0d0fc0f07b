"""A run: one read of one stream, with its window, its counters and its checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

from psycopg2.extras import RealDictCursor

from oncehub.config.connector import Changes, SequenceChanges, TimeChanges, TokenChanges
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.stream.window import Window
from oncehub.errors import OncehubError, StoreUnavailable
from oncehub.intake.landing.land import Landed
from oncehub.intake.runs.checkpoint import DROP_CHECKPOINT, SAVE_CHECKPOINT, HighMarks, checkpoint_values
from oncehub.intake.runs.stream_locks import Mode, reader_of
from oncehub.normalize.batch import Batch
from oncehub.store.connection import Connection

_TOTALS = "pages, read, accepted, unchanged, quarantined, deleted, drift, total, state = 'succeeded' as done"

_READ_TOTALS = f"select {_TOTALS} from intake.run where run_id = %(run_id)s"

_COUNT = f"""
update intake.run
set pages = pages + %(pages)s, read = read + %(read)s, accepted = accepted + %(accepted)s,
    unchanged = unchanged + %(read)s - %(accepted)s - %(quarantined)s - %(deleted_read)s,
    quarantined = quarantined + %(quarantined)s, deleted_read = deleted_read + %(deleted_read)s,
    deleted = deleted + %(deleted)s, drift = drift + %(drift)s, total = coalesce(%(total)s, total)
where run_id = %(run_id)s
returning {_TOTALS}
"""

_NOTE_DAG_RUN = "update intake.run set started_by = %(dag_run)s where run_id = %(run_id)s"

_DROP_SEEN = "delete from intake.seen where run_id = %(run_id)s"

_CLOSE = f"""
update intake.run
set state = %(state)s, finished_at = now(), error = %(error)s, deleted = deleted + %(deleted)s
where run_id = %(run_id)s
returning {_TOTALS}
"""


@dataclass(frozen=True)
class RunReport:
    """The counters of a run, in records; `read` = accepted + unchanged + quarantined + deletions read.

    Attributes:
        window: no lower bound for a full read; no bounds where a source lists no changes.
        accepted: records that changed a row.
        unchanged: records that stated nothing new.
        quarantined: rejected records.
        deleted: records newly marked deleted, by flag, tombstone or absence.
        drift: fields noted as different from the contract.
        total: records of the whole read, where the source declares it.
        seconds: time that this process spent on the run.
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
    drift: int
    total: int | None
    seconds: float
    done: bool


@dataclass(frozen=True)
class Counts:
    """What a micro-batch adds to its run, in records; see `RunReport`."""

    pages: int
    read: int
    accepted: int
    quarantined: int
    deleted_read: int
    deleted: int
    drift: int
    total: int | None

    @classmethod
    def of(
        cls, batch: Batch, landed: Landed, *, drift: int, pages: int = 1, total: int | None = None
    ) -> Self:
        """Count a batch and its landing; `drift` is the number of differences new in the run."""
        return cls(
            pages=pages,
            read=batch.read,
            accepted=landed.accepted,
            quarantined=len(batch.rejected),
            deleted_read=batch.deleted.height,
            deleted=landed.deleted,
            drift=drift,
            total=total,
        )


@dataclass
class Run:
    """A run in progress; every call that writes belongs in the caller's transaction.

    Attributes:
        definition: digest of the definition its records are made by; see `Definition.digest`.
        resume: state of the next page; None to begin with the first.
        all_landed: whether all pages have landed, so that only closing is left.
        taken_over: whether an earlier process started it.
    """

    connection: Connection
    run_id: int
    source: str
    stream: str
    mode: Mode
    window: Window
    started_at: datetime
    definition: str | None
    resume: Mapping[str, Any] | None = None
    all_landed: bool = False
    taken_over: bool = False
    _begun_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """Its name in log lines and for `oncehub runs`."""
        return f"landing-{self.run_id}"

    def note_dag_run(self, dag_run: str | None) -> None:
        """Note the DAG run that begins it or takes it up."""
        if dag_run:
            self._run(_NOTE_DAG_RUN, dag_run=dag_run)

    def needs_successor(self, changes: Changes | None, now: datetime) -> bool:
        """Tell whether the run started so long ago that another run must read the changes since.

        A full snapshot that another process had read to its end may have been replaced by a newer one.
        """
        match changes:
            case None:
                return self.all_landed
            case TimeChanges():
                return now - self.started_at > changes.overlap
            case SequenceChanges() | TokenChanges():
                return self.taken_over

    def count(self, counts: Counts) -> RunReport:
        """Add pages to the counters, and return them."""
        return self._report(_COUNT, **asdict(counts))

    def save_checkpoint(self, page: ResumeToken | None, marks: HighMarks) -> None:
        """Store the next page (None when all have landed) and the high-water marks."""
        self._run(SAVE_CHECKPOINT, **checkpoint_values(page, marks))

    def succeed(self, *, deleted_by_absence: int = 0) -> RunReport:
        """Close the run, and return its counters."""
        self._forget()
        return self._report(_CLOSE, state="succeeded", error=None, deleted=deleted_by_absence)

    def fail(self, error: str, *, keep_checkpoint: bool) -> RunReport:
        """Close the run as failed; with its checkpoint kept, the next run resumes there."""
        if not keep_checkpoint:
            self._forget()
        return self._report(_CLOSE, state="failed", error=error, deleted=0)

    def report(self) -> RunReport:
        """Read the counters."""
        return self._report(_READ_TOTALS)

    @contextmanager
    def failing(self, keep_checkpoint: Callable[[OncehubError], bool]) -> Iterator[None]:
        """Close the run as failed when the block raises, and raise the error again."""
        try:
            yield
        except StoreUnavailable:
            # Nothing can be stored; the next process takes the run over as after a kill.
            raise
        except OncehubError as error:
            with self.connection:
                self.fail(str(error), keep_checkpoint=keep_checkpoint(error))
            raise

    def _forget(self) -> None:
        self._run(DROP_CHECKPOINT)
        self._run(_DROP_SEEN)

    def _report(self, statement: str, **values: Any) -> RunReport:
        """Execute a statement that returns the totals."""
        row = self._run(statement, **values)
        return RunReport(
            run_id=self.run_id,
            source=self.source,
            stream=self.stream,
            mode=self.mode,
            window=self.window,
            seconds=time.monotonic() - self._begun_at,
            **row,
        )

    def _run(self, statement: str, **values: Any) -> dict[str, Any]:
        names = {"run_id": self.run_id, "source": self.source, "stream": self.stream}
        with self.connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(statement, {**names, "reader": reader_of(self.mode), **values})
            return dict(cursor.fetchone() or {}) if cursor.description else {}
