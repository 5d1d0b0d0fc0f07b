"""Parses a response over HTTP into records, by the form that the connector names; files: `file_reader`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from oncehub.config.reading import Csv, Json, JsonLines, Pages, Read, Xml
from oncehub.connect.formats.content import Content, at, lists_in, shown
from oncehub.connect.formats.file_reader import records_in
from oncehub.connect.formats.json import parse_json
from oncehub.connect.formats.unpacking import unzipped
from oncehub.connect.formats.unreadable import Unreadable
from oncehub.connect.formats.xml import XmlDocument
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken
from oncehub.exhaustion import require_memory

ReadPlugin = Callable[[bytes, Mapping[str, str]], Any]
"""A connector's own reader, already bound to its connection: (body, headers) -> content."""

# Measured on records of 20 fields; Python's objects take more room than the text. Many small ones take far
# more: `{}` is two bytes of text, and counts as 32, `[]` as 8.
_MEMORY_A_BYTE = 8
_AN_OBJECT, _A_LIST, _A_VALUE = 30, 6, 8

_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+)?html\b", re.IGNORECASE)


def memory_for(body: bytes) -> int:
    """Return how many bytes of memory reading a response needs."""
    weighed = _AN_OBJECT * body.count(b"{") + _A_LIST * body.count(b"[") + _A_VALUE * body.count(b",")
    return _MEMORY_A_BYTE * (len(body) + weighed)


def _elsewhere(body: Any) -> str:
    if isinstance(body, list):
        return "; the whole response is one, leave `records` out"
    paths = lists_in(body)[:3]
    return f"; there is one at {' and at '.join(map(shown, paths))}" if paths else ""


@dataclass(frozen=True)
class PageReader:
    """Parses the responses of one stream.

    Attributes:
        read: the form, and where records stand in it.
        pages: what a page declares about itself.
        most: bytes that a response may unpack to (`limits.page_bytes`).
        plugin: replaces the parsing of the body, once unpacked; in what it returns, records and places are
            found as in JSON.
    """

    read: Read
    pages: Pages
    most: int
    plugin: ReadPlugin | None = None

    def page(self, response: Response, what: str) -> Content:
        """Return what a response holds; `what` names it in errors.

        A list of records that is null or not there counts as empty only where the page declares a total or
        count of 0: many systems list nothing in this way, but report their errors in it as well.

        Raises:
            TryAgain: when the body is cut, broken in its own syntax, or a page for people.
            ContractBroken: when it is otherwise not as the connector says.
        """
        body = response.body
        if self.read.compression == "gzip" and not _HTML.match(body):
            body = unzipped(body, self.most, what)
        if _HTML.match(body):
            raise TryAgain("the response is an HTML page")
        needed = memory_for(body)
        require_memory(needed, f"{what}: reading")
        size = needed // _MEMORY_A_BYTE
        empty = Content(what, [], None, response.headers, size=size)
        if self.plugin:
            return self._listed(replace(empty, body=self.plugin(body, response.headers)))
        match self.read:
            case Json():
                return self._listed(replace(empty, body=parse_json(body)))
            case JsonLines() | Csv() as read:
                return self._lines(read, body, empty)
            case Xml() as read:
                return self._xml(read, body, empty)

    def _listed(self, content: Content) -> Content:
        """Find the records in parsed content."""
        path = getattr(self.read, "records", None)
        records = at(content.body, path.replace("/", ".")) if path else content.body
        if records is None and self._declares_nothing(content):
            return content
        if isinstance(records, Unreadable):
            raise ContractBroken(f"{content.what}: on the way to {shown(path)}, it {records.reason}")
        if not isinstance(records, list):
            raise ContractBroken(f"{content.what}: holds no list at {shown(path)}{_elsewhere(content.body)}")
        return replace(content, records=records)

    def _lines(self, read: JsonLines | Csv, body: bytes, empty: Content) -> Content:
        if not body and self._declares_nothing(empty):
            return empty
        return replace(empty, records=records_in(read, body, empty.what, self.most))

    def _xml(self, read: Xml, body: bytes, empty: Content) -> Content:
        document = XmlDocument(read, empty.what, keep=True)
        document.feed(body, last=True)
        content = replace(empty, records=document.records, body=document.body)
        if not document.listed and not self._declares_nothing(content):
            within = read.records.rpartition("/")[0]
            hint = _elsewhere(document.body).replace(".", "/")
            raise ContractBroken(f"{empty.what}: holds no element at `{within}`{hint}")
        return content

    def _declares_nothing(self, content: Content) -> bool:
        places = (self.pages.total, self.pages.count)
        return any(place is not None and content.count(place) == 0 for place in places)
