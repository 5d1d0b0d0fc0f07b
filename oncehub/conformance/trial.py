"""Runs the conformance suite on a source or on its recording, or makes the recording."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.conformance.hub import Hub
from oncehub.conformance.reach import Reach, resized, secret_parameter
from oncehub.conformance.recorder import Interactions
from oncehub.conformance.recording.cassette import Cassette, cassette_path, recorded_connector
from oncehub.conformance.recording.redaction import redacted
from oncehub.conformance.recording.writing import NOT_WRITTEN
from oncehub.conformance.subject import Options
from oncehub.conformance.suite import Listener, Suite
from oncehub.conformance.verdict import Verdict
from oncehub.connect.http.local_rate_limiter import Pause
from oncehub.errors import ConfigError

RECORDED_FROM = Connection(host="https://recorded.invalid")
"""The connection of a recording; no request is sent to it."""


@dataclass(frozen=True)
class Trial:
    """A source to be tested, and how.

    Attributes:
        connector: as its file states it.
        hubs: databases of the suite's own: one that cases empty, and one that they do not.
        streams: all when empty.
        only: names of cases; all when empty.
        listener: called with each verdict.
        pause: waits between tries where the source fails.
    """

    connector: Connector
    hubs: tuple[Hub, Hub]
    streams: Sequence[str] = ()
    only: Sequence[str] = ()
    listener: Listener = lambda _: None
    pause: Pause = time.sleep

    def of_source(self, connection: Connection, options: Options) -> list[Verdict]:
        """Test the source itself.

        Raises:
            ConfigError: when a file, the connection, or the name of a stream or case is wrong.
        """
        reach = self._reach(connection, options)
        return self._suite(reach, options, lambda: datetime.now(UTC)).run(self.streams, self.listener)

    def of_recording(self) -> list[Verdict]:
        """Test the recording beside the connector, without network access.

        Raises:
            ConfigError: when there is none, or as `of_source`.
        """
        return self._played(Cassette.load(cassette_path(self.connector)))

    def record(self, connection: Connection, options: Options) -> list[Verdict]:
        """Test the source, and write its responses as an anonymised recording.

        The verdicts are those on the recording. Nothing is written when they are worse than on the source.

        Raises:
            ConfigError: as `of_source`, or when the source cannot be recorded.
        """
        if any(stream.read.folder or stream.read.in_table for stream in self.connector.streams.values()):
            raise ConfigError(
                f"{self.connector.path}: folders and tables are read without requests; nothing is recorded"
            )
        for stream in self.connector.streams.values():
            read = stream.read
            if read.compression == "zip" or getattr(read, "columns", None):
                form = "a zip" if read.compression == "zip" else "a table with read.columns"
                raise ConfigError(f"{self.connector.path}: {NOT_WRITTEN.format(form=form)}")
        options = replace(options, kills=0, wait=0)
        reach = self._reach(connection, options)
        silent = replace(self, listener=lambda _: None)
        on_source = silent._suite(reach, options, reach.clock).run(self.streams, silent.listener)
        interactions = redacted(self.hubs[0].settings, reach.connector, connection, reach.interactions)
        cassette = Cassette(reach.clock(), options, interactions)
        verdicts = self._played(cassette)
        before = {(each.stream, each.case) for each in on_source if each.outcome == "failed"}
        failed = [each for each in verdicts if each.outcome == "failed"]
        if worse := [each for each in failed if (each.stream, each.case) not in before]:
            found = f"{worse[0].case} of {worse[0].stream}: {worse[0].message}"
            raise ConfigError(
                f"{self.connector.source}: the recording was not written, as on it fails what did not fail "
                f"on the source: {found}; if the source changed meanwhile, record again"
            )
        cassette.save(cassette_path(self.connector))
        return verdicts

    def _played(self, cassette: Cassette) -> list[Verdict]:
        connector = _prepared(recorded_connector(self.connector), cassette.options)
        reach = Reach(
            connector, RECORDED_FROM, cassette.interactions, recorded=True, clock=lambda: cassette.recorded_at
        )
        return self._suite(reach, cassette.options, reach.clock).run(self.streams, self.listener)

    def _reach(self, connection: Connection, options: Options) -> Reach:
        now = datetime.now(UTC).replace(microsecond=0)
        connector = _prepared(self.connector, options)
        interactions = Interactions(secret_parameter(connector))
        return Reach(connector, connection, interactions, recorded=False, clock=lambda: now, pause=self.pause)

    def _suite(self, reach: Reach, options: Options, clock: Callable[[], datetime]) -> Suite:
        return Suite(reach, self.hubs, options, clock, self.only)


def _prepared(connector: Connector, options: Options) -> Connector:
    """Return the connector with pages of the options' size."""
    for stream in connector.streams:
        connector = resized(connector, stream, options.page_size)
    return connector
