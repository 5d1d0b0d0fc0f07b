"""The world as the servers use it: many readers at once, or one writer."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from threading import Condition
from typing import Literal, get_args

import polars as pl

from stubs.servers.protocol.windows import SortedStream
from stubs.world import World

SYSTEMS = ("population", "portal", "tax", "customs", "banking")
STREAMS = (
    ("population", "citizens"),
    ("portal", "accounts"),
    ("portal", "dossiers"),
    ("tax", "registrations"),
    ("customs", "declarants"),
    ("banking", "accounts"),
)
TruthKind = Literal["discrepancies", "links", "broken"]
TRUTH_KINDS: tuple[TruthKind, ...] = get_args(TruthKind)


class _Gate:
    """A lock for any number of readers or one writer; a waiting writer goes before new readers."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._readers = 0
        self._moving = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: not self._moving)
            self._readers += 1
        try:
            yield
        finally:
            with self._condition:
                self._readers -= 1
                self._condition.notify_all()

    @contextmanager
    def moving(self) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: not self._moving)
            self._moving = True
            self._condition.wait_for(lambda: self._readers == 0)
        try:
            yield
        finally:
            with self._condition:
                self._moving = False
                self._condition.notify_all()


class HostedWorld:
    """A world with its sorted streams kept ready; `generation` counts its states from 0."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._gate = _Gate()
        self._truth: dict[TruthKind, pl.DataFrame] | None = None
        self.generation = 0
        self._streams = self._sorted_streams()

    def reading(self) -> AbstractContextManager[None]:
        """Holds the world unchanged within the block."""
        return self._gate.reading()

    @property
    def now(self) -> datetime:
        """The world's clock, UTC."""
        return self._world.now

    def stream(self, system: str, stream: str) -> SortedStream:
        """A stream of the present state; only within `reading()`."""
        return self._streams[system, stream]

    def advance(self, days: int) -> dict[str, int]:
        """Moves the world by days, when no reader is inside; counts of events by kind."""
        with self._gate.moving():
            events = self._world.advance(days)
            self._changed()
        return events

    def correct(self, sources: Collection[str]) -> int:
        """Lets sources bring their records into line, when no reader is inside; the number of records."""
        with self._gate.moving():
            corrected = self._world.correct(*sources)
            self._changed()
        return corrected

    def truth(self, kind: TruthKind) -> pl.DataFrame:
        """One table of the ground truth of the present state; only within `reading()`."""
        if self._truth is None:
            truth = self._world.truth()
            self._truth = {"discrepancies": truth.discrepancies, "links": truth.links, "broken": truth.broken}
        return self._truth[kind]

    def _changed(self) -> None:
        self._streams = self._sorted_streams()
        self._truth = None
        self.generation += 1

    def _sorted_streams(self) -> dict[tuple[str, str], SortedStream]:
        return {name: SortedStream(self._world.frame(*name)) for name in STREAMS}
