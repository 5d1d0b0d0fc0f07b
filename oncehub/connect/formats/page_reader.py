"""Parses a response over HTTP into records, by the form that the connector names; files: `file_reader`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from oncehub.config.reading import Csv, Form, Include, Json, JsonLines, Pages, Parquet, Xlsx, Xml
from oncehub.config.syntax.paths import is_json_path, leads_to_one, query_of
from oncehub.connect.formats.content import Content, lists_in, shown
from oncehub.connect.formats.file_reader import records_in
from oncehub.connect.formats.json import parse_json
from oncehub.connect.formats.paths import all_at, at, getter, listed_by, records_at
from oncehub.connect.formats.reported import reported
from oncehub.connect.formats.unpacking import unzipped
from oncehub.connect.formats.unreadable import Unreadable
from oncehub.connect.formats.xml import XmlDocument
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken, RequestRefused
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
        credentials: left out of what the source reports.
    """

    read: Form
    pages: Pages
    most: int
    plugin: ReadPlugin | None = None
    credentials: tuple[str, ...] = field(default=(), repr=False)

    def page(self, response: Response, what: str) -> Content:
        """Return what a response holds; `what` names it in errors.

        A list of records that is null or not there counts as empty only where the page declares a total or
        count of 0: many systems list nothing in this way, but report their errors in it as well.

        Raises:
            TryAgain: when the body is cut, broken in its own syntax, or a page for people.
            ContractBroken: when it is otherwise not as the connector says.
            RequestRefused: when it reports an error at `read.errors`.
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
            case read if read.compression == "zip":
                return self._lines(read, body, empty)
            case Json():
                return self._listed(replace(empty, body=parse_json(body)))
            case JsonLines() | Csv() | Xlsx() | Parquet() as read:
                return self._lines(read, body, empty)
            case Xml() as read:
                return self._xml(read, body, empty)

    def failure(self, response: Response, what: str) -> str | None:
        """Return what a response of another status than 200 reports at `read.errors`, if anything."""
        try:
            match self.read:
                case Json():
                    body = parse_json(response.body)
                case Xml() as read:
                    document = XmlDocument(read, what, keep=True)
                    document.feed(response.body, last=True)
                    body = document.body
                case _:
                    return None
        except (TryAgain, ContractBroken):
            return None
        return self._reported(body)

    def _reported(self, body: Any) -> str | None:
        path = self.read.errors
        found = None if path is None else at(body, path) if leads_to_one(path) else all_at(body, path)
        return reported(found, self.credentials) if found not in (None, "", [], {}) else None

    def _refuse_errors(self, content: Content) -> None:
        if failure := self._reported(content.body):
            raise RequestRefused(f"{content.what}: the source reports: {failure}")

    def _listed(self, content: Content) -> Content:
        """Find the records in parsed content."""
        self._refuse_errors(content)
        path = getattr(self.read, "records", None)
        records = records_at(content.body, path.replace("/", ".")) if path else content.body
        if records is None and self._declares_nothing(content):
            return content
        if isinstance(records, Unreadable):
            raise ContractBroken(f"{content.what}: on the way to {shown(path)}, it {records.reason}")
        if not isinstance(records, list):
            raise ContractBroken(f"{content.what}: holds no list at {shown(path)}{_elsewhere(content.body)}")
        include = self.read.include if isinstance(self.read, Json) else {}
        for name, each in include.items():
            records = _including(name, each, records, content)
        return replace(content, records=records, selected_of=_listed_beside(content.body, path))

    def _lines(self, read: Form, body: bytes, empty: Content) -> Content:
        if not body and self._declares_nothing(empty):
            return empty
        return replace(empty, records=records_in(read, body, empty.what, self.most))

    def _xml(self, read: Xml, body: bytes, empty: Content) -> Content:
        document = XmlDocument(read, empty.what, keep=True)
        document.feed(body, last=True)
        content = replace(empty, records=document.records, body=document.body)
        self._refuse_errors(content)
        if not document.listed and not self._declares_nothing(content):
            within = read.records.rpartition("/")[0]
            hint = _elsewhere(document.body).replace(".", "/")
            raise ContractBroken(f"{empty.what}: holds no element at `{within}`{hint}")
        return content

    def _declares_nothing(self, content: Content) -> bool:
        places = (self.pages.total, self.pages.count)
        return any(place is not None and content.count(place) == 0 for place in places)


def _listed_beside(body: Any, path: str | None) -> list[Any] | None:
    """Return the one list that a JSONPath selects from."""
    if path is None or not is_json_path(path) or leads_to_one(path):
        return None
    within, items, _ = listed_by(path)
    listed = at(body, within)
    if not isinstance(listed, list) or len(query_of(items).segments) != len(query_of(within).segments) + 1:
        return None
    return listed


def _including(name: str, include: Include, records: list[Any], content: Content) -> list[Any]:
    """Return the records, each with the objects that it names.

    Raises:
        ContractBroken: when the page lacks one.
    """
    others = at(content.body, include.among)
    paths = list(map(getter, include.by))
    known = {
        tuple(str(get(other)) for get in paths): other
        for other in (others if isinstance(others, list) else ())
    }

    def named(record: Any) -> Any:
        found = [all_at(record, path) for path in include.by.values()]
        if not any(found):
            return [] if include.many else None
        keys = list(zip(*(map(str, values) for values in found), strict=False))
        if len({len(values) for values in found}) > 1 or not all(key in known for key in keys):
            raise ContractBroken(
                f"{content.what}: a record names an object for `{name}` that the page does not hold at"
                f" {shown(include.among)}; ask the source to include it"
            )
        return [known[key] for key in keys] if include.many else known[keys[0]]

    joined = ((record, named(record)) for record in records)
    return [
        record if there is None or not isinstance(record, dict) else {**record, name: there}
        for record, there in joined
    ]
