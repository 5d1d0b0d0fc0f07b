"""The stream under test, and what the suite knows of it so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from oncehub.anonymisation.non_personal_fields import configuration_words, recordable_fields
from oncehub.config.connector import Changes, Connector, Stream
from oncehub.conformance.fault_injection import FaultyAdapter, Spoil
from oncehub.conformance.hub import Contents, Hub
from oncehub.conformance.reach import Reach
from oncehub.conformance.readers import LimitedReader, Readable, ReplayedPages, opener_from, opener_of
from oncehub.conformance.recorder import Interactions
from oncehub.conformance.records import Stated, stated_in
from oncehub.conformance.verdict import NotShown
from oncehub.connect.page import Page
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.intake.runs.cursor import changes_of, full_window
from oncehub.intake.runs.run import RunReport
from oncehub.intake.stream_sync import Listener
from oncehub.intake.sync import Opener
from oncehub.normalize.normalizer import Normalizer, load_normalizer


@dataclass(frozen=True)
class Options:
    """How much the suite does.

    Attributes:
        pages: of each stream that are read at most, from its beginning.
        page_size: records of a page at most, where the source lets the reader say so.
        boundaries: between pages at which a reading is ended and taken up.
        kills: of these, how many by killing a process.
        wait: seconds before the last readings, in which the source may change.
    """

    pages: int = 20
    page_size: int = 50
    boundaries: int = 20
    kills: int = 1
    wait: float = 0


@dataclass(frozen=True)
class Read:
    """One reading.

    Attributes:
        complete: whether it came to the stream's end.
    """

    spec: Stream
    pages: Sequence[Page]
    complete: bool

    @cached_property
    def stated(self) -> list[Stated]:
        """Its records."""
        return stated_in(self.spec, self.pages)

    @cached_property
    def latest(self) -> dict[str, Stated]:
        """The latest statement of each record whose key can be read."""
        latest: dict[str, Stated] = {}
        for each in self.stated:
            held = latest.get(each.key or "")
            if each.key and (held is None or held.at is None or (each.at and each.at >= held.at)):
                latest[each.key] = each
        return latest


@dataclass(frozen=True)
class Landed:
    """The result of a reading into an empty hub.

    Attributes:
        refused: records that do not meet their contract.
    """

    contents: Contents
    report: RunReport
    refused: int


@dataclass
class Subject:
    """One stream under test.

    Attributes:
        reach: its source.
        scratch: a hub that every case may empty.
        kept: a hub that is read into at the beginning and at the end only.
        now: the present, the same for all readings but the last.
        first: the first full reading, once it was made.
        recorded_responses: what the source answered in it; None when that was too large to keep.
    """

    connector: Connector
    stream: str
    reach: Reach
    scratch: Hub
    kept: Hub
    options: Options
    now: datetime
    first: Read | None = None
    recorded_responses: Interactions | None = None
    _again: Read | None = field(default=None, repr=False)
    _landed: Landed | None = field(default=None, repr=False)

    @property
    def spec(self) -> Stream:
        """The stream as the connector states it."""
        return self.connector.streams[self.stream]

    @property
    def name(self) -> str:
        """`source.stream`."""
        return f"{self.connector.source}.{self.stream}"

    @property
    def changes(self) -> Changes | None:
        """The stream's `changes`."""
        return changes_of(self.connector, self.stream)

    @property
    def whole(self) -> Window:
        """The window of a full reading."""
        return full_window(self.connector, self.stream, self.now)

    def normalizer(self) -> Normalizer:
        """Checks and maps its records; each remembers the differences that it has noted."""
        return load_normalizer(self.scratch.settings, self.connector, self.stream)

    @cached_property
    def non_personal_fields(self) -> set[str]:
        """Fields that say nothing about any person."""
        return recordable_fields(self.scratch.settings, self.connector, self.stream)

    @cached_property
    def configuration_words(self) -> set[str]:
        """Words that may stand in any message."""
        return configuration_words(self.scratch.settings, self.connector, self.stream)

    def known(self) -> Read:
        """The first reading.

        Raises:
            NotShown: when it failed or found nothing.
        """
        if self.first is None:
            raise NotShown("the stream could not be read; see reads")
        if not self.first.stated:
            raise NotShown("the stream holds no records; run again when it does")
        return self.first

    def again(self) -> Read:
        """Another full reading, made after the first and landed nowhere.

        Raises:
            OncehubError: see `Source.pages`.
        """
        self._again = self._again or self.read(self.whole)
        return self._again

    def landed(self) -> Landed:
        """What the first reading lands, nothing coming between."""
        if self._landed is None:
            self.scratch.empty()
            report = self.land(ReplayedPages(self.known().pages))
            self._landed = Landed(self.contents(), report, self.scratch.refused())
        return self._landed

    def contents(self) -> Contents:
        """Return the contents of the scratch hub."""
        return self.scratch.contents(self.connector.source, self.stream)

    def land(
        self, readable: Readable | Opener, *, full: bool = True, listener: Listener | None = None
    ) -> RunReport:
        """Read into the scratch hub.

        Raises:
            OncehubError: see `oncehub.intake.sync`.
        """
        opener = opener_of(readable) if hasattr(readable, "pages") else readable
        return self.scratch.read(
            self.connector, self.stream, opener, now=self.now, full=full, listener=listener
        )

    def live(self, noted: list[LimitedReader] | None = None) -> Opener:
        """Opens the source itself, to be read from its beginning as far as the options say."""

        @contextmanager
        def opened() -> Iterator[Readable]:
            with self.reach.live() as source:
                yield self._noted(source, noted)

        return opener_from(opened)

    def read(self, window: Window, *, connector: Connector | None = None, most: int | None = None) -> Read:
        """Read a window of the source itself, landing nothing.

        Args:
            window: what to ask for.
            connector: reads it otherwise than the suite does, e.g. in other pages.
            most: pages; as the options say unless given.

        Raises:
            OncehubError: see `Source.pages`.
        """
        with self.reach.live(connector) as source:
            noted = LimitedReader(source, most or self.options.pages)
            pages = list(noted.pages(self.stream, window))
        return Read(self.spec, pages, complete=not noted.cut)

    def spoiled(self, spoil: Spoil) -> AbstractContextManager[tuple[Source, FaultyAdapter]]:
        """Open what the source answered in the first reading, with answers that go wrong at first."""
        assert self.recorded_responses is not None
        return self.reach.spoiled(self.recorded_responses, spoil)

    def _noted(self, source: Source, into: list[LimitedReader] | None = None) -> LimitedReader:
        noted = LimitedReader(source, self.options.pages)
        if into is not None:
            into.append(noted)
        return noted
