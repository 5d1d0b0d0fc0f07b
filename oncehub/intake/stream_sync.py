"""Reading one stream, portion by portion into the store: a kill at any instant loses and repeats nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from oncehub.config.connector import AbsenceDeletes, Connector, Submitted, TimeChanges
from oncehub.config.entities import load_entities
from oncehub.connect import Page, Source, Window
from oncehub.errors import ContractBroken, ContractStopped, OncehubError, RequestRefused, ResumeTokenInvalid
from oncehub.intake.drift import note_drift
from oncehub.intake.landing.absence_deletes import WHENEVER, Snapshot
from oncehub.intake.landing.land import Landing
from oncehub.intake.micro_batches import Portion, Size, portions
from oncehub.intake.quarantine.rejected_records import Quarantine, refuse_excess
from oncehub.intake.runs.cursor import advance, changes_of
from oncehub.intake.runs.run import Counts, Marks, Run, RunReport
from oncehub.intake.runs.start import Begin, begin_backfill, begin_live, is_outlived
from oncehub.intake.runs.stream_locks import alone, lane_of, take_turn
from oncehub.intake.submissions import Waiting
from oncehub.normalize import Batch, Normalizer
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.failures import told_without_values

_log = logging.getLogger(__name__)

_OUTLIVED: Final = (
    "%s: contract, mapping or a code list has changed since everything was read; records that do not change "
    "keep what was made of them before, until: oncehub sync %s --full"
)

Listener = Callable[[RunReport], None]
"""Hears the running totals."""


class Reading:
    """Reads one stream of an open source, or what waits of one that is submitted."""

    def __init__(
        self,
        *,
        settings: Settings,
        connector: Connector,
        stream: str,
        store: Connection,
        source: Source | Waiting,
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
        self._quarantine = Quarantine(settings, *names)
        self._landing = Landing(store, *names, load_entities(settings.schemas), settings.home)

    def run(self, *, full: bool, now: datetime) -> list[RunReport]:
        """Read the stream to its end; give one report, or two when an old run had to be finished first.

        Raises:
            OncehubError: see `oncehub.intake.sync`.
        """
        begin = partial(self._begin, begin_live, now=now)
        with told_without_values(f"landing {self._name}"), alone(self._store, "live", self._name):
            run, report = self._run_once(partial(begin, full=full))
            if not run.left_behind(self._changes, now):
                return [report]
            return [report, self._run_once(partial(begin, full=False))[1]]

    def backfill(self, window: Window, *, now: datetime) -> list[RunReport]:
        """Read what was stated within `window`; the cursor stays where it is.

        Raises:
            OncehubError: see `oncehub.intake.sync`.
        """
        begin = partial(self._begin, begin_backfill, now=now)
        with told_without_values(f"landing {self._name}"), alone(self._store, "backfill", self._name):
            return [self._run_once(partial(begin, window=window))[1]]

    def _begin(self, begin: Callable[..., Run], connection: Connection, **how: Any) -> Run:
        definition = self._normalizer.definition
        run = begin(connection, self._connector, self._names[1], definition=definition, **how)
        outlived = run.mode != "full" and is_outlived(connection, *self._names, definition)
        if outlived or run.definition != definition:
            _log.warning(_OUTLIVED, self._name, self._name)
        return run

    def _run_once(self, begin: Begin) -> tuple[Run, RunReport]:
        with self._store:
            self._landing.prepare()
            run = begin(self._store)
        _log.info("%s: %s read of %s", self._name, run.mode, _bounds(run))
        with run.failing(_goes_on), told_without_values(f"landing {self._name}"):
            return run, self._read(run)

    def _read(self, run: Run) -> RunReport:
        if not run.all_landed:
            with _ended(self._source.pages(run.stream, run.window, run.resume)) as pages:
                self._land_all(run, portions(pages, self._size))
        with self._store:
            take_turn(self._store, self._name)
            swept = self._sweep(run)
            if lane_of(run.mode) == "live":
                advance(self._store, self._connector, run.stream, mode=run.mode, window=run.window)
            report = run.succeed(deleted_by_absence=swept)
        self._tell(report)
        return report

    def _land_all(self, run: Run, coming: Iterator[Portion]) -> None:
        """Land portions in their order, each while the next one is fetched and normalized.

        What a portion's landing fails with is told before what comes after it is landed.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="oncehub-land") as thread:
            landing: Future[None] | None = None
            try:
                for portion in coming:
                    deletions = portion.last.kind == "deletions"
                    batch = self._normalizer.normalize(portion.records, deletions=deletions)
                    if landing:
                        landing.result()
                    landing = thread.submit(self._land, run, portion, batch)
            finally:
                # A landing that failed says more than what came of the source meanwhile.
                if landing:
                    landing.result()

    def _land(self, run: Run, portion: Portion, batch: Batch) -> None:
        if batch.stop:
            raise ContractStopped(f"{self._name}: {batch.stop}")
        with self._store:
            take_turn(self._store, self._name)
            self._refuse_excess(run, batch)
            landed = self._landing.land(batch)
            self._quarantine.keep(self._store, run.run_id, batch.rejected, portion.last.kind)
            self._remember(run, portion, batch)
            drift = note_drift(self._store, run.run_id, *self._names, batch.drift)
            counts = Counts.of(batch, landed, drift=drift, pages=portion.pages, total=portion.last.total)
            report = run.count(counts)
            run.save_checkpoint(portion.next, _marks(portion, batch))
            if isinstance(self._source, Waiting):
                self._source.take(self._store, len(portion.records))
        self._tell(report)

    def _refuse_excess(self, run: Run, batch: Batch) -> None:
        before = run.report()
        refuse_excess(
            self._name,
            before.read + batch.read,
            before.quarantined + len(batch.rejected),
            batch.rejected,
            at_most=self._spec.quarantine.at_most,
            after=self._spec.quarantine.after,
        )

    def _remember(self, run: Run, portion: Portion, batch: Batch) -> None:
        """Note what a full read shows; a backfill beside it shows that its records are there too."""
        if not isinstance(self._spec.deletes, AbsenceDeletes):
            return
        if run.mode == "full":
            snapshot = Snapshot(self._store, run.run_id, *self._names)
            if portion.first.number == 1:
                snapshot.forget()
            snapshot.remember(batch)
        elif beside := Snapshot.in_progress(self._store, *self._names):
            beside.remember(batch)

    def _sweep(self, run: Run) -> int:
        deletes = self._spec.deletes
        if not isinstance(deletes, AbsenceDeletes) or run.mode != "full":
            return 0
        snapshot = Snapshot(self._store, run.run_id, *self._names)
        return snapshot.sweep(self._landing, deletes.at_most, shown_until=self._shown_until(snapshot))

    def _shown_until(self, snapshot: Snapshot) -> datetime | None:
        """Up to which time of statement a record would be in the snapshot, did it still exist."""
        if isinstance(self._spec, Submitted) or self._spec.snapshot is None:
            return WHENEVER
        shown = snapshot.shown_until()
        # The snapshot may have been made before a record committed that was stated earlier.
        late = self._changes.overlap if isinstance(self._changes, TimeChanges) else timedelta()
        return None if shown is None else shown - late

    def _tell(self, report: RunReport) -> None:
        _log.info(
            "%s: page %d, read %d, accepted %d, unchanged %d, quarantined %d, deleted %d",
            *(self._name, report.pages, report.read, report.accepted),
            *(report.unchanged, report.quarantined, report.deleted),
        )
        if self._listener:
            self._listener(report)


def _goes_on(error: OncehubError) -> bool:
    """Tell whether the next run goes on where this one failed, instead of reading its window anew.

    Where a contract stopped a page, nothing is wrong with those before it.
    """
    if isinstance(error, ContractStopped):
        return True
    return not isinstance(error, ContractBroken | RequestRefused | ResumeTokenInvalid)


def _marks(portion: Portion, batch: Batch) -> Marks:
    high_sequence = portion.last.watermark
    if high_sequence is None and portion.last.kind == "records":
        # Deletions are listed after the records, so their numbers say nothing of records in between.
        high_sequence = batch.high_sequence
    return Marks(
        high_mark=batch.high_mark,
        high_sequence=high_sequence,
        shown_until=batch.high_mark if portion.last.of_snapshot else None,
        anew=portion.first.number == 1,
    )


@contextmanager
def _ended(pages: Iterator[Page]) -> Iterator[Iterator[Page]]:
    """Stop fetching ahead as soon as landing fails, not when the iterator happens to be collected."""
    try:
        yield pages
    finally:
        if isinstance(pages, Generator):
            pages.close()


def _bounds(run: Run) -> str:
    if run.window.since is None:
        return "everything"
    until = "now" if run.window.until is None else run.window.until
    return f"[{run.window.since}, {until})"
