"""Reading one stream, page by page into the store: a kill at any instant loses and repeats nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from oncehub.connect import Page, Source
from oncehub.intake.landing import Landing
from oncehub.intake.quarantine import Quarantine, refuse_excess
from oncehub.intake.runs import Run, RunReport, begin
from oncehub.intake.sweep import Snapshot
from oncehub.model.connector import AbsenceDeletes, Connector
from oncehub.model.entities import load_entities
from oncehub.model.errors import ContractBroken, OncehubError, RequestRefused, RunBusy, StoreUnavailable
from oncehub.model.settings import Settings
from oncehub.normalize import Normalizer
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import told_without_values

_log = logging.getLogger(__name__)

# The server needs a moment to notice that a killed process is gone.
_PATIENCE_SECONDS = 3.0

Listener = Callable[[RunReport], None]
"""Hears the running totals."""


class Reading:
    """One run of one stream."""

    def __init__(
        self,
        *,
        settings: Settings,
        connector: Connector,
        stream: str,
        store: Connection,
        source: Source,
        normalizer: Normalizer,
        listener: Listener | None = None,
    ) -> None:
        names = (connector.source, stream)
        self._names = names
        self._name = f"{names[0]}.{names[1]}"
        self._spec = connector.streams[stream]
        self._store = store
        self._source = source
        self._normalizer = normalizer
        self._listener = listener
        self._quarantine = Quarantine(settings, *names)
        self._landing = Landing(store, *names, load_entities(settings.schemas))

    def run(self, *, full: bool, now: datetime) -> list[RunReport]:
        """Read the stream to its end; give one report, or two when an old run had to be finished first.

        Raises:
            OncehubError: see `oncehub.intake.sync`.
        """
        with told_without_values(f"landing {self._name}"), self._alone():
            run, report = self._run_once(full=full, now=now)
            if not run.left_behind(self._spec, now):
                return [report]
            return [report, self._run_once(full=False, now=now)[1]]

    def _run_once(self, *, full: bool, now: datetime) -> tuple[Run, RunReport]:
        with self._store:
            self._landing.prepare()
            run = begin(self._store, *self._names, self._spec, full=full, now=now)
        _log.info("%s: %s read of %s", self._name, run.mode, _bounds(run))
        with self._failing(run), told_without_values(f"landing {self._name}"):
            return run, self._read(run)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with ExitStack() as stack:
            patience = time.monotonic() + _PATIENCE_SECONDS
            while not stack.enter_context(locked(self._store, f"sync {self._name}")):
                if time.monotonic() > patience:
                    raise RunBusy(f"{self._name} is being read by another process")
                time.sleep(0.1)
            yield

    def _read(self, run: Run) -> RunReport:
        snapshot = Snapshot(self._store, run.run_id, *self._names)
        if not run.all_landed:
            with _ended(self._source.pages(run.stream, run.window, run.resume)) as pages:
                for page in pages:
                    self._land(run, snapshot, page)
        with self._store:
            swept = self._sweep(snapshot)
            run.succeed(deleted_by_absence=swept)
        return self._told(run)

    def _land(self, run: Run, snapshot: Snapshot, page: Page) -> None:
        batch = self._normalizer.normalize(page.records)
        with self._store:
            before = run.report()
            refuse_excess(
                self._name,
                before.read + batch.read,
                before.quarantined + len(batch.rejected),
                batch.rejected,
                at_most=self._spec.quarantine.at_most,
                after=self._spec.quarantine.after,
            )
            landed = self._landing.land(batch)
            self._quarantine.keep(self._store, run.run_id, batch.rejected)
            if isinstance(self._spec.deletes, AbsenceDeletes):
                if page.number == 1:
                    snapshot.forget()
                snapshot.remember(batch)
            run.count(
                read=batch.read,
                accepted=landed.accepted,
                quarantined=len(batch.rejected),
                deleted_read=batch.deleted.height,
                deleted=landed.deleted,
            )
            run.save_checkpoint(page.next, batch.high_mark)
        self._told(run)

    def _sweep(self, snapshot: Snapshot) -> int:
        if not isinstance(self._spec.deletes, AbsenceDeletes):
            return 0
        swept = snapshot.sweep(self._landing, self._spec.deletes.at_most)
        snapshot.forget()
        return swept

    def _told(self, run: Run) -> RunReport:
        with self._store:
            report = run.report()
        _log.info(
            "%s: page %d, read %d, accepted %d, unchanged %d, quarantined %d, deleted %d",
            *(self._name, report.pages, report.read, report.accepted),
            *(report.unchanged, report.quarantined, report.deleted),
        )
        if self._listener:
            self._listener(report)
        return report

    @contextmanager
    def _failing(self, run: Run) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable:
            # Nothing can be written down; the run is taken over as if its process had been killed.
            raise
        except OncehubError as error:
            anew = isinstance(error, ContractBroken | RequestRefused)
            with self._store:
                if anew:
                    Snapshot(self._store, run.run_id, *self._names).forget()
                run.fail(str(error), keep_checkpoint=not anew)
            raise


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
    return f"[{run.window.since.isoformat()}, {run.window.until.isoformat() if run.window.until else 'now'})"
