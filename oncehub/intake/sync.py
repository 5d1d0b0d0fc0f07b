"""Syncs a source: reads its streams one after the other, each to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime

from oncehub.config.connection import Connection as SourceConnection
from oncehub.config.connector import Connector
from oncehub.connect.http.shared_rate_limiter import shared_rate_limiter
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import (
    ConfigError,
    ContractBroken,
    OncehubError,
    RequestRefused,
    ResumeTokenInvalid,
    RunBusy,
)
from oncehub.intake.completeness.audit import AuditReport, audit
from oncehub.intake.landing.partitions import attach_sources
from oncehub.intake.micro_batches import Size
from oncehub.intake.runs.backfill import check_backfill
from oncehub.intake.runs.run import RunReport
from oncehub.intake.stream_sync import Listener, StreamSync
from oncehub.intake.submissions import SubmittedRecords
from oncehub.normalize.normalizer import load_normalizer
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened

Clock = Callable[[], datetime]

Opener = Callable[[Connector, SourceConnection], AbstractContextManager[Source]]
"""Opens a source for reading."""

_ONE_STREAM_ONLY = (ContractBroken, RequestRefused, ResumeTokenInvalid, RunBusy)
"""Failures that do not keep the source's other streams from being read."""


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def sync(
    settings: Settings,
    connector: Connector,
    connection: SourceConnection | None,
    *,
    streams: Sequence[str] | None = None,
    full: bool = False,
    backfill: Window | None = None,
    report: Listener | None = None,
    database: Connection | None = None,
    clock: Clock = utc_now,
    opener: Opener | None = None,
    size: Size = Size(),  # noqa: B008 - frozen
) -> list[RunReport]:
    """Read a source's streams, and return one report for each run.

    A stream is read from its cursor where it lists its changes, else in full. An interrupted run resumes
    where it stopped; when it started long ago, a second run reads the changes since. Of submitted streams
    the waiting records land.

    Args:
        settings: name the folders and the database.
        connector: of the source.
        connection: of the source; may be None when only submitted streams are read.
        streams: the streams to read; all when None.
        full: read everything, not only changes.
        backfill: read only records stated in this window, by runs that may go on beside others and leave the
            cursor where it is. An unfinished backfill of the same window resumes; one of another is closed.
        report: receives the running totals after every micro-batch.
        database: a connection that is not in a transaction; by default a new one is opened.
        clock: returns the present time.
        opener: opens the source in another way than over the network.
        size: how much lands in one transaction.

    Raises:
        SourceError: the source failed. What has landed stays, and the next call resumes there; after
            RequestRefused and ContractBroken (except ContractStopped) it reads the window from the start.
        RunBusy: another process reads the stream.
        ConfigError: a wrong mapping, contract, stream name or window.
        StoreError: the database cannot be used.
    """
    chosen = _chosen(connector, streams)
    if backfill is not None:
        _check_backfills(connector, chosen, backfill, full=full)
    normalizers = {stream: load_normalizer(settings, connector, stream) for stream in chosen}
    failures: list[OncehubError] = []
    reports: list[RunReport] = []
    with ExitStack() as stack:
        store = stack.enter_context(opened(settings, database))
        attach_sources(store, [connector.source])
        if read := [stream for stream in chosen if stream in connector.streams]:
            source = stack.enter_context(_opened(settings, connector, connection, opener))
        for stream in chosen:
            reading = StreamSync(
                settings=settings,
                connector=connector,
                stream=stream,
                store=store,
                source=source if stream in read else SubmittedRecords(settings, connector.source, stream),
                normalizer=normalizers[stream],
                listener=report,
                size=size,
            )
            try:
                if backfill is None:
                    reports += reading.run(full=full, now=clock())
                else:
                    reports += reading.backfill(backfill, now=clock())
            except _ONE_STREAM_ONLY as failure:
                failures.append(failure)
    if failures:
        raise failures[0]
    return reports


def audit_source(
    settings: Settings,
    connector: Connector,
    connection: SourceConnection,
    *,
    streams: Sequence[str] | None = None,
    database: Connection | None = None,
    clock: Clock = utc_now,
    opener: Opener | None = None,
) -> list[AuditReport]:
    """Compare what a source lists now with what has landed, and return one report a stream that is read.

    Args:
        settings: as `sync` takes them.
        connector: of the source.
        connection: of the source.
        streams: the streams to compare; all that are read when None.
        database: as `sync` takes it.
        clock: returns the present time.
        opener: opens the source in another way than over the network.

    Raises:
        SourceError, RunBusy, ConfigError, StoreError: as `sync`.
    """
    chosen = [stream for stream in _chosen(connector, streams) if stream in connector.streams]
    normalizers = {stream: load_normalizer(settings, connector, stream) for stream in chosen}
    with (
        opened(settings, database) as store,
        _opened(settings, connector, connection, opener) as source,
    ):
        return [
            audit(store, connector, stream, source, normalizers[stream], now=clock()) for stream in chosen
        ]


def _opened(
    settings: Settings, connector: Connector, connection: SourceConnection | None, opener: Opener | None
) -> AbstractContextManager[Source]:
    if connection is None:
        raise ConfigError(f"{connector.source} is read over a connection; only submitted streams need none")
    return opener(connector, connection) if opener else _limited(settings, connector, connection)


@contextmanager
def _limited(settings: Settings, connector: Connector, connection: SourceConnection) -> Iterator[Source]:
    """Open a source under the rate limit that all its readers share."""
    with (
        shared_rate_limiter(settings, connector) as rate_limiter,
        Source(connector, connection, rate_limiter=rate_limiter) as source,
    ):
        yield source


def _chosen(connector: Connector, streams: Sequence[str] | None) -> list[str]:
    if unknown := sorted(set(streams or ()) - set(connector.landed)):
        known = ", ".join(connector.landed)
        raise ConfigError(f"{connector.source} has no stream {unknown[0]!r}; there are: {known}")
    return [stream for stream in connector.landed if not streams or stream in streams]


def _check_backfills(connector: Connector, streams: Sequence[str], window: Window, *, full: bool) -> None:
    if full:
        raise ConfigError("a backfill reads a window, so it cannot be full; leave out one of the two")
    for stream in streams:
        check_backfill(connector, stream, window)
