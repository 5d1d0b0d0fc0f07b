"""Opens a source and reads its streams page by page: the entry to this package."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from threading import Event
from types import TracebackType
from typing import Any, Self

import requests

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector, Parent, Stream
from oncehub.connect.auth.authentication import authentication_of
from oncehub.connect.checks import check_connector, places
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter, Pause, RateLimiter
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.session import Transport, open_session
from oncehub.connect.page import Page
from oncehub.connect.plugins import load_plugin
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.sql.database import Database
from oncehub.connect.stream.children import ChildReader
from oncehub.connect.stream.listing_reader import ListingReader
from oncehub.connect.stream.prefetch import prefetched, stoppable_pause
from oncehub.connect.stream.reader import Clock, StreamReader, utc_now
from oncehub.connect.stream.window import Window, window_parameters
from oncehub.errors import ConfigError


class Source:
    """The streams of one source, read within its limits; a context manager that closes its connections."""

    def __init__(
        self,
        connector: Connector,
        connection: Connection,
        *,
        rate_limiter: RateLimiter | None = None,
        transport: Transport | None = None,
        pause: Pause | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Open a source; nothing is sent yet.

        Args:
            connector: how to read it.
            connection: where it is, with which credentials.
            rate_limiter: shared with others that read the source; None keeps the limits within this process.
            transport: wraps what carries the requests, e.g. to record or replay them.
            pause: sleeps between tries; None sleeps until an iterator is given up.
            clock: the present, up to which changes after a snapshot are replayed.

        Raises:
            ConfigError: when connector or connection cannot work.
        """
        check_connector(connector)
        self._connector = connector
        self._connection = connection
        self._plugins = load_plugin(connector)
        self._pause = pause
        self._clock = clock
        self._rate_limiter = rate_limiter or LocalRateLimiter(connector.limits)
        reads = [place.read for _, place in places(connector)]
        over_http = any(read.folder is None and not read.in_table for read in reads)
        in_tables = any(read.in_table for read in reads)
        self._database = Database(connection, connector.limits, connector.source) if in_tables else None
        self._session = open_session(connector, connection, transport) if over_http else requests.Session()
        # Reports now rather than at the first page what the connection lacks.
        self._opened(time.sleep)

    def pages(
        self, stream: str, window: Window, resume: ResumeToken | Mapping[str, Any] | None = None
    ) -> Iterator[Page]:
        """Read a stream page by page; the page after the yielded one is already being fetched.

        Args:
            stream: its name in the connector.
            window: what to ask for; see `Window`. Of children of changed parents: when their parents changed.
            resume: `Page.next` of the last page that an earlier read of the same window kept, or what
                `ResumeToken.stored` made of it.

        Yields:
            Pages; the last one has `next` None. The first has another number than 1 only where the read
            continues at `resume`; a page 1 means that it begins anew.

        Raises:
            ConfigError: when there is no such stream, or it cannot tell what changed.
            ResumeTokenInvalid: when `resume` is of another version or shape.
            TransientError: when no try gave a usable response.
            PermanentError: when the source refuses, or breaks the agreed form of a page or file.
        """
        definition = self._stream(stream)
        source, parent = self._connector.source, definition.parent
        asked = self._stream(parent.stream) if parent and parent.of == "changed" else definition
        window_parameters(window, f"{source}.{stream}", asked)
        token = None if resume is None else ResumeToken.load(resume, source, stream)
        if token and (token.children is None) != (parent is None):
            token = None
        return self._prefetched(stream, parent, window, token)

    def _prefetched(
        self, stream: str, parent: Parent | None, window: Window, resume: ResumeToken | None
    ) -> Iterator[Page]:
        stop = Event()
        opened = self._opened(self._pause or partial(stoppable_pause, stop))
        if parent:
            pages = ChildReader(opened, stream, parent, self._clock).pages(window, resume)
        else:
            pages = StreamReader(opened, stream, self._clock).pages(window, resume)
        yield from prefetched(pages, stop)

    def _opened(self, pause: Pause) -> ListingReader:
        bare = Requester(self._session, self._connector.limits, self._rate_limiter, pause=pause)
        sign = self._plugins.sign
        requester = replace(
            bare,
            authentication=authentication_of(self._connector, self._connection, bare),
            plugin=None if sign is None else lambda request: sign(request, self._connection),
        )
        return ListingReader(self._connector, self._connection, requester, self._plugins, self._database)

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
        if self._database:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
