"""A source in use: pages of any of its places, over HTTP or from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import requests

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector, Watermark
from oncehub.connect.auth.authentication import without_key
from oncehub.connect.files.folder import folder_pages
from oncehub.connect.files.folder_place import folder_of
from oncehub.connect.files.manifest import file_pages
from oncehub.connect.formats import Content, reader_of
from oncehub.connect.formats.json import parse_json
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.responses import Response
from oncehub.connect.page import Page, PageState
from oncehub.connect.pagination.listing import Listing, unlike_promised
from oncehub.connect.pagination.reader import listing_pages, paginator_of
from oncehub.connect.plugins import Plugins


@dataclass(frozen=True)
class ListingReader:
    """What is needed to ask one source.

    Attributes:
        requester: with the source's authentication.
        parts: the connector's own.
    """

    connector: Connector
    connection: Connection
    requester: Requester
    parts: Plugins

    def pages(self, listing: Listing, resume: PageState | None) -> Iterator[Page]:
        """Read a listing, be it pages, listed files or a folder; see the functions for what they raise."""
        read, limits = listing.read, self.requester.limits
        if read.folder:
            folder = folder_of(self.connector, self.connection)
            return folder_pages(folder, listing.name, read, limits, resume, whole=listing.whole)
        if read.listing:
            return file_pages(self.requester, listing.name, listing.host, read, resume)
        part = self.parts.reader_for(self.connection)
        reader = reader_of(read, listing.pages, most=limits.page_bytes, part=part)
        walk = paginator_of(listing, self.parts.pager, partial(without_key, self.connector.auth))
        return listing_pages(self.requester, reader, listing, walk, resume)

    def watermark(self, name: str, watermark: Watermark) -> int:
        """Ask for the highest sequence there is now; `name` tells the stream in errors.

        Raises:
            ContractBroken: when no number stands where the connector says.
            SourceError: see `Requester.send`.
        """
        what = f"{name}: watermark"
        part = self.parts.reader_for(self.connection)

        def read(answer: Response) -> int:
            body = part(answer.body, answer.headers) if part else parse_json(answer.body)
            content = Content(what, [], body, answer.headers)
            count = content.count(watermark.value)
            if count is None:
                raise unlike_promised(content, "number", watermark.value)
            return count

        request = requests.Request("GET", self.connection.host + watermark.path)
        return self.requester.send(request, what, read)
