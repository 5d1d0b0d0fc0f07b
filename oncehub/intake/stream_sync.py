"""Syncs one stream: reads it and lands it in micro-batches; an interruption at any instant loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import psycopg2

from oncehub.config.connector import AbsenceDeletes, Connector, Submitted, TimeChanges
from oncehub.config.entities import load_entities
from oncehub.connect.page import Page
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ContractBroken, ContractStopped, OncehubError, RequestRefused, ResumeTokenInvalid
from oncehub.exhaustion import require_memory
from oncehub.intake.drift import note_drift
from oncehub.intake.landing.absence_deletes import ANY_TIME, Snapshot
from oncehub.intake.landing.land import Landed, Landing
from oncehub.intake.landing.refused import without_refused
from oncehub.intake.micro_batches import MicroBatch, Size, micro_batches
from oncehub.intake.quarantine.rejected_records import Quarantine, refuse_excess
from oncehub.intake.runs.checkpoint import HighMarks
from oncehub.intake.runs.cursor import advance, changes_of
from oncehub.intake.runs.run import Counts, Run, RunReport
from oncehub.intake.runs.start import Begin, begin_backfill, begin_live, definition_changed
from oncehub.intake.runs.stream_locks import lock_for_landing, reader_of, stream_lock
from oncehub.intake.submissions import NOT_SUBMITTED, SubmittedRecords
from oncehub.normalize.batch import Batch
from oncehub.normalize.normalizer import Normalizer
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.failures import refuses_values, without_values
from oncehub.traces import step

_log = logging.getLogger(__name__)

_DEFINITION_CHANGED: Final = (
    "%s: contract, mapping or a code list has changed since the last full run; records that do not change "
    "keep the rows of the former definition until you run: oncehub sync %s --full"
)

# Measured on records of 20 fields: objects, frames and rows beside each other, while the batch before lands.
_MEMORY_A_BYTE: Final = 20

Listener = Callable[[RunReport], None]
"""Receives the running totals."""


class StreamSync:
    """Reads one stream of an open source, or the submitted records of a stream."""

    def __init__(
        self,
        *,
        settings: Settings,
        connector: Connector,
        stream: str,
        store: Connection,
        source: Source | SubmittedRecords,
        normalizer: Normalizer,
        listener: Listener | None = None,
        size: Size = Size(),  # noqa: B008 - frozen
    ) -> None:
        names = (connector.source, stream)
        self._names = names
        self._name = f"{names[0]}.{names[1]}"
        self._connector = connector
        self._spec = connector.landed[stream]
        self._changes = changes_of(connector, stream)
        self._store = store
        self._source = source
        self._normalizer = normalizer
        self._listener = listener
        self._size = size
        self._started_by = settings.started_by
        self._not_submitted = 0
        self._quarantine = Quarantine(settings, *names)
        self._landing = Landing(store, *names, load_entities(settings.schemas), settings.home)

    def run(self, *, full: bool, now: datetime) -> list[RunReport]:
        """Read the stream to its end; return one report, or two when an earlier run had to be finished first.

        Raises:
            OncehubError: see `oncehub.intake.sync`.
        """
        begin = partial(self._begin, begin_live, now=now)
        with without_values(f"landing {self._name}"), stream_lock(self._store, "live", self._name):
            run, report = self._run_once(partial(begin, full=full))
            if not run.needs_successor(self._changes, now):
                return [report]
            return [report, self._run_once(partial(begin, full=False))[1]]

    def backfill(self, window: Window, *, now: datetime) -> list[RunReport]:
        """Read the records stated within `window`; the cursor stays where it is.

        Raises:
            OncehubError: see `oncehub.intake.sync`.
        """
        begin = partial(self._begin, begin_backfill, now=now)
        with without_values(f"landing {self._name}"), stream_lock(self._store, "backfill", self._name):
            return [self._run_once(partial(begin, window=window))[1]]

    def _begin(self, begin: Callable[..., Run], connection: Connection, **how: Any) -> Run:
        definition = self._normalizer.definition
        run = begin(connection, self._connector, self._names[1], definition=definition, **how)
        outlived = run.mode != "full" and definition_changed(connection, *self._names, definition)
        if outlived or run.definition != definition:
            _log.warning(_DEFINITION_CHANGED, self._name, self._name)
        return run

    def _run_once(self, begin: Begin) -> tuple[Run, RunReport]:
        with self._store:
            self._landing.prepare()
            run = begin(self._store)
            run.note_dag_run(self._started_by)
        with step("land", source=run.source, stream=run.stream, run=run.name):
            return self._run(run)

    def _run(self, run: Run) -> tuple[Run, RunReport]:
        _log.info("%s: %s read of %s", self._name, run.mode, _bounds(run))
        with run.failing(_resumes), without_values(f"landing {self._name}"):
            return run, self._read(run)

    def _read(self, run: Run) -> RunReport:
        if not run.all_landed:
            with _ended(self._source.pages(run.stream, run.window, run.resume)) as pages:
                self._land_all(run, micro_batches(self._remarked(pages), self._size))
        with self._store:
            lock_for_landing(self._store, self._name)
            deleted = self._delete_absent(run)
            if reader_of(run.mode) == "live":
                advance(self._store, self._connector, run.stream, mode=run.mode, window=run.window)
            report = run.succeed(deleted_by_absence=deleted)
        self._report_progress(report)
        return report

    def _remarked(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Log once what the source does not heed."""
        logged: set[str] = set()
        for page in pages:
            for remark in page.remarks:
                if remark not in logged:
                    logged.add(remark)
                    _log.warning("%s: %s", self._name, remark)
            yield page

    def _land_all(self, run: Run, coming: Iterator[MicroBatch]) -> None:
        """Land micro-batches in order, each while the next one is fetched and normalized.

        When one fails to land, none after it lands.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="oncehub-land") as thread:
            landing: Future[None] | None = None
            try:
                for micro_batch in coming:
                    require_memory(_MEMORY_A_BYTE * micro_batch.size, f"landing {self._name}")
                    deletions = micro_batch.last.kind == "deletions"
                    batch = self._normalizer.normalize(micro_batch.records, deletions=deletions)
                    if landing:
                        landing.result()
                    landing = thread.submit(copy_context().run, self._land, run, micro_batch, batch)
            finally:
                # An error of landing comes before an error of the source meanwhile.
                if landing:
                    landing.result()

    def _land(self, run: Run, micro_batch: MicroBatch, batch: Batch) -> None:
        if batch.stop:
            raise ContractStopped(f"{self._name}: {batch.stop}")
        # Somebody who writes into the queue must not hold up what agencies submit.
        self._not_submitted += sum(each.reason == NOT_SUBMITTED for each in batch.rejected)
        try:
            self._land_batch(run, micro_batch, batch)
        except psycopg2.Error as error:
            if not refuses_values(error):
                raise
            self._land_batch(run, micro_batch, without_refused(self._store, self._land_locked, batch))

    def _land_locked(self, batch: Batch) -> Landed:
        lock_for_landing(self._store, self._name)
        return self._landing.land(batch)

    def _land_batch(self, run: Run, micro_batch: MicroBatch, batch: Batch) -> None:
        with self._store:
            lock_for_landing(self._store, self._name)
            self._refuse_excess(run, batch)
            landed = self._landing.land(batch)
            self._quarantine.keep(self._store, run.run_id, batch.rejected, micro_batch.last.kind)
            self._note_seen(run, micro_batch, batch)
            drift = note_drift(self._store, run.run_id, *self._names, batch.drift)
            counts = Counts.of(
                batch, landed, drift=drift, pages=micro_batch.pages, total=micro_batch.last.total
            )
            report = run.count(counts)
            run.save_checkpoint(micro_batch.next, _high_marks(micro_batch, batch))
            if isinstance(self._source, SubmittedRecords):
                self._source.remove(self._store, len(micro_batch.records))
        self._report_progress(report)

    def _refuse_excess(self, run: Run, batch: Batch) -> None:
        before = run.report()
        refuse_excess(
            self._name,
            before.read + batch.read - self._not_submitted,
            before.quarantined + len(batch.rejected) - self._not_submitted,
            batch.rejected,
            at_most=self._spec.quarantine.at_most,
            after=self._spec.quarantine.after,
        )

    def _note_seen(self, run: Run, micro_batch: MicroBatch, batch: Batch) -> None:
        """Note the records that a full run has seen; records of a backfill beside it count as seen too."""
        if not isinstance(self._spec.deletes, AbsenceDeletes):
            return
        if run.mode == "full":
            snapshot = Snapshot(self._store, run.run_id, *self._names)
            if micro_batch.first.number == 1:
                snapshot.forget()
            snapshot.note_seen(batch)
        elif beside := Snapshot.in_progress(self._store, *self._names):
            beside.note_seen(batch)

    def _delete_absent(self, run: Run) -> int:
        deletes = self._spec.deletes
        if not isinstance(deletes, AbsenceDeletes) or run.mode != "full":
            return 0
        snapshot = Snapshot(self._store, run.run_id, *self._names)
        return snapshot.delete_absent(self._landing, deletes.at_most, shown_until=self._shown_until(snapshot))

    def _shown_until(self, snapshot: Snapshot) -> datetime | None:
        """Return up to which time of statement the snapshot lists every record that exists."""
        if isinstance(self._spec, Submitted) or self._spec.snapshot is None:
            return ANY_TIME
        shown = snapshot.shown_until()
        # A record stated before the snapshot may have committed after it was made.
        late = self._changes.overlap if isinstance(self._changes, TimeChanges) else timedelta()
        return None if shown is None else shown - late

    def _report_progress(self, report: RunReport) -> None:
        _log.info(
            "%s: page %d, read %d, accepted %d, unchanged %d, quarantined %d, deleted %d",
            *(self._name, report.pages, report.read, report.accepted),
            *(report.unchanged, report.quarantined, report.deleted),
        )
        if self._listener:
            self._listener(report)


def _resumes(error: OncehubError) -> bool:
    """Tell whether the next run resumes after this error, instead of reading the window from the start.

    A page that a contract stopped says nothing against the pages before it.
    """
    if isinstance(error, ContractStopped):
        return True
    return not isinstance(error, ContractBroken | RequestRefused | ResumeTokenInvalid)


def _high_marks(micro_batch: MicroBatch, batch: Batch) -> HighMarks:
    high_sequence = micro_batch.last.watermark
    if high_sequence is None and micro_batch.last.kind == "records":
        # Deletions are listed after the records, so their numbers do not cover the records in between.
        high_sequence = batch.high_sequence
    return HighMarks(
        high_mark=batch.high_mark,
        high_sequence=high_sequence,
        shown_until=batch.high_mark if micro_batch.last.of_snapshot else None,
        restarted=micro_batch.first.number == 1,
        token=micro_batch.last.token,
    )


@contextmanager
def _ended(pages: Iterator[Page]) -> Iterator[Iterator[Page]]:
    """Stop fetching ahead as soon as landing fails, not when the iterator is garbage collected."""
    try:
        yield pages
    finally:
        if isinstance(pages, Generator):
            pages.close()


def _bounds(run: Run) -> str:
    if run.window.token is not None:
        return "what changed since the last run"
    if run.window.since is None:
        return "everything"
    until = "now" if run.window.until is None else run.window.until
    return f"[{run.window.since}, {until})"
