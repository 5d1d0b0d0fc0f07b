"""The source under test, opened over the network or from a tape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from requests.adapters import BaseAdapter

from oncehub.config.access import ApiKey
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.conformance.fault_injection import Failing, Spoil
from oncehub.conformance.wire import Meter, Metered, Recording, Replaying, Tape
from oncehub.connect import Source
from oncehub.connect.http.rate_limiter import LocalPace, Pace, Pause
from oncehub.connect.http.session import Transport
from oncehub.connect.stream.reader import Clock


class Unpaced:
    """No pace at all, for answers that cost nobody anything.

    Attributes:
        held: seconds for which the source asked everybody to wait.
    """

    def __init__(self) -> None:
        self.held: list[float] = []

    def turn(self, pause: Pause) -> AbstractContextManager[None]:  # noqa: ARG002
        """Enter at once."""
        return nullcontext()

    def hold(self, seconds: float) -> None:
        """Note, and wait not."""
        self.held.append(seconds)


@dataclass
class Reach:
    """How the source under test is reached.

    Attributes:
        connector: with the suite's page size.
        connection: of the source; of a recording, anything.
        tape: what the source has answered so far; of a recording, all that it ever did.
        recorded: whether `tape` answers instead of the source.
        meter: counts what goes out.
        clock: the present, the same for all readings.
        pause: waits between tries where the source itself fails.
    """

    connector: Connector
    connection: Connection
    tape: Tape
    recorded: bool
    clock: Clock
    pause: Pause | None = None
    meter: Meter = field(default_factory=Meter)
    _pace: Pace | None = None

    def live(self, connector: Connector | None = None) -> AbstractContextManager[Source]:
        """Open the source itself, or its recording, to be read as `connector` says instead."""
        if self.recorded:
            return self._source(lambda _: Replaying(self.tape), Unpaced(), _no_pause, connector)

        def carried(adapter: BaseAdapter) -> BaseAdapter:
            return Metered(Recording(adapter, self.tape), self.meter)

        # One for all readings, as the limits are the source's.
        self._pace = self._pace or LocalPace(self.connector.limits)
        return self._source(carried, self._pace, self.pause, connector)

    @contextmanager
    def spoiled(self, tape: Tape, spoil: Spoil) -> Iterator[tuple[Source, Failing]]:
        """Open what a tape holds, with answers that go wrong at first."""
        failing = Failing(Replaying(tape), spoil)
        with self._source(lambda _: failing, Unpaced(), _no_pause) as source:
            yield source, failing

    def _source(
        self, transport: Transport, pace: Pace, pause: Pause | None, connector: Connector | None = None
    ) -> Source:
        return Source(
            connector or self.connector,
            self.connection,
            pace=pace,
            transport=transport,
            pause=pause,
            clock=self.clock,
        )


def secret_parameter(connector: Connector) -> str | None:
    """The query parameter that is a credential, where there is one."""
    return connector.auth.query if isinstance(connector.auth, ApiKey) else None


def _no_pause(seconds: float) -> None:
    """Wait not."""
