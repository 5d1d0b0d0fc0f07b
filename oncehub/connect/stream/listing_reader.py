"""Reads one listing of an open source: pages over HTTP, files from a manifest, or files in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import requests

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector, Watermark
from oncehub.config.reading import Sql
from oncehub.connect.auth.authentication import without_key
from oncehub.connect.files.folder import folder_pages, store_of
from oncehub.connect.files.manifest import file_pages
from oncehub.connect.formats import Content, PageReader
from oncehub.connect.formats.json import parse_strictly
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.responses import Response
from oncehub.connect.page import Page
from oncehub.connect.pagination.listing import Listing
from oncehub.connect.pagination.paginators import listing_pages, paginator_of
from oncehub.connect.plugins import Plugins
from oncehub.connect.resume_token import FilePosition, PagePosition, TablePosition
from oncehub.connect.sql.database import Database
from oncehub.connect.sql.table import table_pages

Position = PagePosition | FilePosition | TablePosition


@dataclass(frozen=True)
class ListingReader:
    """What is needed to read from one source.

    Attributes:
        requester: with the source's authentication.
        plugins: the connector's own.
        database: of streams that are tables.
        proven: paths whose pages have named a next one.
    """

    connector: Connector
    connection: Connection
    requester: Requester
    plugins: Plugins
    database: Database | None = None
    proven: set[str] = field(default_factory=set)

    def pages(self, listing: Listing, resume: Position | None) -> Iterator[Page]:
        """Read a listing, or the rest of it from `resume` on; the functions called name what they raise.

        Tokens of the pages yielded hold the position in the listing only.
        """
        read, limits = listing.read, self.requester.limits
        if isinstance(read, Sql):
            assert self.database is not None
            return table_pages(self.database, listing, resume if isinstance(resume, TablePosition) else None)
        if read.in_files:
            position = resume if isinstance(resume, FilePosition) else None
            if read.listing:
                return file_pages(self.requester, listing.name, listing.host, read, position)
            store = store_of(self.connector, self.connection)
            return folder_pages(store, listing.name, read, limits, position, whole=listing.whole)
        plugin = self.plugins.reader_for(self.connection)
        reader = PageReader(read, listing.pages, limits.page_bytes, plugin, self.connection.credentials)
        strip = partial(without_key, self.connector.auth)
        paginator = paginator_of(listing, self.plugins.next_page, strip)
        page = resume if isinstance(resume, PagePosition) else None
        return listing_pages(self.requester, reader, listing, paginator, page, self.proven)

    def watermark(self, name: str, watermark: Watermark) -> int:
        """Ask for the highest sequence there is now; `name` names the stream in errors.

        Raises:
            ContractBroken: when no number stands where the connector says.
            SourceError: see `Requester.send`.
        """
        what = f"{name}: watermark"
        plugin = self.plugins.reader_for(self.connection)

        def read(response: Response) -> int:
            body = plugin(response.body, response.headers) if plugin else parse_strictly(response.body)
            return Content(what, [], body, response.headers).promised_count(watermark.value, "number")

        request = requests.Request("GET", self.connection.host + watermark.path)
        return self.requester.send(request, what, read)
