"""A listing: one selection of a stream's records, and how a paginator gets from page to page of it."""

from __future__ import annotations

import hashlib
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
import requests

from oncehub.config.connector import TokenChanges, Updated
from oncehub.config.reading import Pages, Read
from oncehub.config.syntax.templates import ABSENT, as_text, filled, filled_xml
from oncehub.connect.formats import Content
from oncehub.connect.resume_token import PagePosition
from oncehub.connect.stream.window import Window, rendered_time
from oncehub.errors import ContractBroken

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Listing:
    """One selection of a stream, to be read page by page.

    Attributes:
        name: names it in errors, e.g. `source.stream`.
        host: base URL of the source.
        read: where pages are, and the records in them.
        pages: how to get from one to the next.
        parameters: query of the selection.
        values: of a parent; they replace their placeholders in `read`.
        window: replaces {since} and {until}, in the form of `updated` unless they have their own.
        updated: the form of times.
        changes: of a listing whose last page names a token, or address, of later changes.
        key: fields that name a record.
        mark: the field by which changes are selected, where the window has a beginning.
        may_be_gone: whether 404 and 410 mean that there is nothing to list any more.
        whole: whether a record that it lacks counts as deleted.
    """

    name: str
    host: str
    read: Read
    pages: Pages
    parameters: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    window: Window = Window(None, None)  # noqa: RUF009 - frozen
    updated: Updated | None = None
    changes: TokenChanges | None = None
    key: tuple[str, ...] = ()
    mark: str | None = None
    may_be_gone: bool = False
    whole: bool = False

    @property
    def path(self) -> str:
        """Path of its pages, with placeholders where they stand."""
        return self.read.path or ""

    def request(
        self, place: Mapping[str, Any] | None = None, parameters: Mapping[str, str] | None = None
    ) -> requests.Request:
        """Return the request for a page: the selection, its size, and where the page is.

        Args:
            place: its `page`, `offset` or `cursor`; None for the first page by cursor.
            parameters: of the query, beside those.
        """
        own, query = dict(place or {}), dict(parameters or {})
        if self.changes and self.changes.parameter is None and self.window.token and not (own or query):
            return self.stored(self.window.token)
        parameter = getattr(self.pages, "parameter", None)
        if own and parameter is not None:
            query |= dict.fromkeys([parameter], *map(as_text, own.values()))
        return self.at(self.host + self._path_and_query(own, query), own)

    def stored(self, path_and_query: str) -> requests.Request:
        """Return the request for a page at an address of which path and query were stored."""
        base = urlsplit(self.host)
        return self.at(f"{base.scheme}://{base.netloc}{path_and_query}")

    def at(self, url: str, own: Mapping[str, Any] | None = None) -> requests.Request:
        """Return the request for a page at an address, with the body of the selection."""
        headers = dict(self.read.headers)
        match self.read.body:
            case None:
                return requests.Request("GET", url, headers=headers)
            case str() as template:
                body = filled_xml(template, self._lookup(own or {})).encode()
                kind = "text/xml; charset=utf-8"
            case template:
                content = filled(template, self._lookup(own or {}))
                body, kind = orjson.dumps({} if content is ABSENT else content), "application/json"
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = kind
        return requests.Request("POST", url, headers=headers, data=body)

    def is_filled_by(self, page: Content) -> bool:
        """Whether a page holds as many records as were asked for."""
        return self.pages.size is not None and page.listed >= self.pages.size.value

    def sized(self, records: int) -> Listing | None:
        """The same listing with so many records on a page; None where the source decides."""
        if self.pages.size is None:
            return None
        size = self.pages.size.model_copy(update={"value": records})
        return replace(self, pages=self.pages.model_copy(update={"size": size}))

    def selection(self) -> str:
        """Identify what is selected and how it is paged: no other listing may continue at its positions.

        It is a digest, for what is selected may be a key of a record.
        """
        body = self.request().data
        text = f"{self.pages.kind} {self._path_and_query({}, {})}{body or ''}{self.window.token or ''}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def _path_and_query(self, own: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
        path = _PLACEHOLDER.sub(lambda name: quote(self.values[name[1]], safe=""), self.read.path or "")
        query = {name: list(each) for name, each in self._query(own)} | dict(self.parameters)
        if self.pages.size is not None and self.pages.size.parameter is not None:
            query[self.pages.size.parameter] = str(self.pages.size.value)
        # A space as %20, which signatures and logs read in one way only.
        text = urlencode(query | dict(parameters), quote_via=quote, doseq=True)
        return path + (f"?{text}" if text else "")

    def _query(self, own: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
        for name, template in self.read.query.items():
            value = filled(template, self._lookup(own))
            if value is not ABSENT:
                yield name, [as_text(each) for each in (value if isinstance(template, tuple) else [value])]

    def _lookup(self, own: Mapping[str, Any]) -> Callable[[str, str | None], Any]:
        size = {} if self.pages.size is None else {"size": self.pages.size.value}
        known = {"since": self.window.since, "until": self.window.until, **self.values, **size, **own}
        written = [
            name + str(each.timestamp() if isinstance(each, datetime) else each)
            for name, each in known.items()
        ]
        known["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name} {sorted(written)}"))

        def value(name: str, form: str | None) -> Any:
            found = known.get(name)
            if not isinstance(found, datetime):
                return ABSENT if found is None else found
            assert self.updated is not None
            form_of = {"format": form or self.updated.format}
            return rendered_time(found, self.updated.model_copy(update=form_of))

        return value


Fetch = Callable[[requests.Request], Content]
"""Fetches the page that a request asks for."""


class Paginator(ABC):
    """One way to get from one page of a listing to the next."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def request(self, position: PagePosition) -> requests.Request:  # noqa: ARG002
        """Return the request for the page at `position`."""
        return self._listing.request()

    def rejoined(self, position: PagePosition, fetch: Fetch) -> PagePosition | None:  # noqa: ARG002
        """The position of an earlier process as of now; None when the pages before it have changed."""
        return None

    def shows_end(self, position: PagePosition, page: Content) -> bool:  # noqa: ARG002
        """Whether it is known that `page`, behind which there is no position, is the last one."""
        return True

    def prove_end(self, page: Content, fetch: Fetch) -> None:  # noqa: B027 - what is shown needs no proof
        """Show by another request that `page`, the first, holds all records.

        Raises:
            ContractBroken: when it does not, or nothing can show it.
        """

    @abstractmethod
    def after(self, position: PagePosition, page: Content) -> PagePosition | None:
        """The position behind `page`, which is the one at `position`; None when it is the last.

        Raises:
            ContractBroken: when the page promises what does not come, or leads back.
        """


def check_total(what: str, total: int | None, read: int) -> None:
    """Refuse a listing that ended before its total.

    Raises:
        ContractBroken: when `read`, up to the last page, is less than what is declared.
    """
    if total is not None and read < total:
        raise ContractBroken(f"{what}: the source declares {total} records but ended after {read}")
