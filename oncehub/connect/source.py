"""A source, open for reading."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from threading import Event
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oncehub.connect.authentication import authentication_of
from oncehub.connect.files import file_pages
from oncehub.connect.listing import Listing
from oncehub.connect.page import Page, PageState
from oncehub.connect.pagination import json_pages
from oncehub.connect.prefetch import prefetched, stoppable_pause
from oncehub.connect.rates import Pause, RateLimit
from oncehub.connect.requesting import Requester
from oncehub.connect.session import open_session
from oncehub.connect.window import Window, window_parameters
from oncehub.model.connection import Connection
from oncehub.model.connector import Connector, Stream
from oncehub.model.errors import ConfigError
from oncehub.model.reading import Csv, Json


def open_source(connector: Connector, connection: Connection) -> Source:
    """Open a source for reading; a context manager. Nothing is sent yet.

    Raises:
        ConfigError: when connector or connection cannot work, before any request.
    """
    return Source(connector, connection)


class Source:
    """The streams of one source, read within its limits."""

    def __init__(self, connector: Connector, connection: Connection, *, pause: Pause | None = None) -> None:
        """Open a source.

        Args:
            connector: how to read it.
            connection: where it is, with which credentials.
            pause: sleeps between tries; None sleeps until an iterator is given up.
        """
        _check_words(connector)
        self._connector = connector
        self._connection = connection
        self._pause = pause
        self._session = open_session(connector, connection)
        self._rate = RateLimit(connector.limits.requests)
        # Says now rather than at the first page what the connection lacks.
        authentication_of(connector, connection, self._requester(time.sleep))

    def pages(self, stream: str, window: Window, resume: PageState | None = None) -> Iterator[Page]:
        """Read a stream page by page; the page after the yielded one is already being fetched.

        Args:
            stream: its name in the connector.
            window: what to ask for; see `Window`.
            resume: `Page.next` of the last page that an earlier read of the same window kept.

        Yields:
            Pages; the last one has `next` None. The first has another number than 1 only when `resume` was
            taken up; a page 1 means that the read begins anew.

        Raises:
            ConfigError: when there is no such stream, or it cannot tell what changed.
            TransientError: when the source did not answer well in all tries.
            PermanentError: when it refuses, or breaks the agreed form of a page or file.
        """
        definition = self._stream(stream)
        parameters = window_parameters(window, f"{self._connector.source}.{stream}", definition)
        return self._prefetched(stream, definition, parameters, resume)

    def _prefetched(
        self, stream: str, definition: Stream, parameters: dict[str, str], resume: PageState | None
    ) -> Iterator[Page]:
        stop = Event()
        requester = self._requester(self._pause or partial(stoppable_pause, stop))
        signing = authentication_of(self._connector, self._connection, requester)
        requester = replace(requester, authentication=signing)
        name, host, read = f"{self._connector.source}.{stream}", self._connection.host, definition.read
        if read.listing:
            pages = file_pages(requester, name, host, read, resume)
        else:
            assert isinstance(read, Json)
            listing = Listing(name, host, read, definition.pages, parameters)
            pages = json_pages(requester, listing, resume)
        yield from prefetched(pages, stop)

    def _requester(self, pause: Pause) -> Requester:
        return Requester(self._session, self._connector.limits, self._rate, pause=pause)

    def _stream(self, name: str) -> Stream:
        try:
            return self._connector.streams[name]
        except KeyError:
            known = ", ".join(sorted(self._connector.streams))
            place = self._connector.where("streams")
            raise ConfigError(f"{place}: there is no stream {name!r}; known are {known}") from None

    def close(self) -> None:
        """Close the connections to the source."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_words(connector: Connector) -> None:
    """Refuse names of encodings and time zones that Python does not know."""
    for name, stream in connector.streams.items():
        try:
            ZoneInfo(stream.updated.zone)
        except (ZoneInfoNotFoundError, ValueError):
            place = connector.where("streams", name, "updated", "zone")
            raise ConfigError(f"{place}: no such time zone; write one such as Asia/Ho_Chi_Minh") from None
        if isinstance(stream.read, Csv):
            try:
                "a".encode(stream.read.encoding)
            except LookupError:
                place = connector.where("streams", name, "read", "encoding")
                raise ConfigError(f"{place}: no such encoding; write one such as utf-8 or cp1258") from None
