"""The source under test, opened over the network or from its recording, in pages as small as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from requests.adapters import BaseAdapter

from oncehub.config.access import ApiKey
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector, Stream, TombstoneStream
from oncehub.config.reading import Pages
from oncehub.conformance.fault_injection import FaultyAdapter, Spoil
from oncehub.conformance.recorder import (
    Interactions,
    Meter,
    MeteredAdapter,
    RecordingAdapter,
    ReplayingAdapter,
)
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter, Pause, RateLimiter
from oncehub.connect.http.session import Transport
from oncehub.connect.source import Source
from oncehub.connect.stream.reader import Clock


class Unlimited:
    """No rate limit: replayed responses cost the source nothing.

    Attributes:
        suspensions: seconds that the source asked to wait, one entry a request.
    """

    def __init__(self) -> None:
        self.suspensions: list[float] = []

    def turn(self, pause: Pause) -> AbstractContextManager[None]:  # noqa: ARG002
        """Enter at once."""
        return nullcontext()

    def suspend(self, seconds: float) -> None:
        """Record the time without waiting."""
        self.suspensions.append(seconds)


@dataclass
class Reach:
    """How the source under test is reached.

    Attributes:
        connector: with the suite's page size.
        connection: of the source; of a recording, anything.
        interactions: what the source has answered so far; of a recording, all that it ever did.
        recorded: whether `interactions` answer instead of the source.
        meter: counts what goes out.
        clock: the present, the same for all readings.
        pause: waits between tries where the source itself fails.
    """

    connector: Connector
    connection: Connection
    interactions: Interactions
    recorded: bool
    clock: Clock
    pause: Pause | None = None
    meter: Meter = field(default_factory=Meter)
    _rate_limiter: RateLimiter | None = None

    def live(self, connector: Connector | None = None) -> AbstractContextManager[Source]:
        """Open the source itself, or its recording, to be read as `connector` says instead."""
        if self.recorded:
            return self._source(
                lambda _: ReplayingAdapter(self.interactions), Unlimited(), _no_pause, connector
            )

        def carried(adapter: BaseAdapter) -> BaseAdapter:
            return MeteredAdapter(RecordingAdapter(adapter, self.interactions), self.meter)

        # One for all readings, as the limits are the source's.
        self._rate_limiter = self._rate_limiter or LocalRateLimiter(self.connector.limits)
        return self._source(carried, self._rate_limiter, self.pause, connector)

    @contextmanager
    def spoiled(self, interactions: Interactions, spoil: Spoil) -> Iterator[tuple[Source, FaultyAdapter]]:
        """Open recorded interactions, with responses that go wrong at first."""
        faulty = FaultyAdapter(ReplayingAdapter(interactions), spoil)
        with self._source(lambda _: faulty, Unlimited(), _no_pause) as source:
            yield source, faulty

    def _source(
        self,
        transport: Transport,
        rate_limiter: RateLimiter,
        pause: Pause | None,
        connector: Connector | None = None,
    ) -> Source:
        return Source(
            connector or self.connector,
            self.connection,
            rate_limiter=rate_limiter,
            transport=transport,
            pause=pause,
            clock=self.clock,
        )


def secret_parameter(connector: Connector) -> str | None:
    """The query parameter that is a credential, where there is one."""
    return connector.auth.query if isinstance(connector.auth, ApiKey) else None


def _no_pause(seconds: float) -> None:
    """Wait not."""


def page_size(stream: Stream) -> int | None:
    """How many records a page of the stream is asked for; None where the source decides."""
    return stream.pages.size.value if stream.pages.size else None


def resized(connector: Connector, stream: str, most: int) -> Connector:
    """The connector with pages of at most so many records in one stream, where the reader may choose."""
    spec = connector.streams[stream]
    changed: dict[str, Any] = {"pages": _smaller(spec.pages, most)}
    if spec.snapshot:
        changed["snapshot"] = spec.snapshot.model_copy(update={"pages": _smaller(spec.snapshot.pages, most)})
    if isinstance(spec.deletes, TombstoneStream):
        changed["deletes"] = spec.deletes.model_copy(update={"pages": _smaller(spec.deletes.pages, most)})
    streams = {**connector.streams, stream: spec.model_copy(update=changed)}
    return connector.model_copy(update={"streams": streams})


def _smaller(pages: Pages, most: int) -> Pages:
    if pages.size is None or pages.size.value <= most:
        return pages
    size = pages.size.model_copy(update={"value": most})
    return pages.model_copy(update={"size": size})
