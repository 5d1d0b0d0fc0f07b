"""Makes a recording anonymous: the same requests, and responses of the same form with invented values."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import orjson
from requests.structures import CaseInsensitiveDict

from oncehub.anonymisation.non_personal_fields import recordable_fields
from oncehub.anonymisation.substitutes import Substitutes, substituted
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector, SequenceChanges, TimeChanges, TokenChanges
from oncehub.config.reading import CursorPages, InHeader, LinkPages, NextUrlPages, Read, Sql
from oncehub.config.reading import Place as Stated
from oncehub.config.syntax.paths import is_json_path
from oncehub.config.syntax.templates import names_in
from oncehub.conformance.recorder import Interactions, RecordedResponse, RequestKey
from oncehub.conformance.recording.fitting import Fitting
from oncehub.conformance.recording.places import Place, places_of
from oncehub.conformance.recording.writing import written
from oncehub.connect.checks import places
from oncehub.connect.formats import Content, PageReader, at, record_slices
from oncehub.connect.http.responses import Response
from oncehub.connect.pagination.cursor import next_link
from oncehub.connect.plugins import Plugins, load_plugin
from oncehub.errors import ConfigError
from oncehub.normalize.unreadable import readable
from oncehub.settings import Settings

_PAGE = "page"
"""The parameter of addresses that stand for a source's own next links."""


@dataclass(frozen=True)
class _Held:
    """One recorded response, taken apart.

    Attributes:
        values: what stands for the placeholders of its place.
        content: None of a listing of files or a watermark.
    """

    asked: RequestKey
    answer: RecordedResponse
    place: Place
    values: Mapping[str, str]
    content: Content | None


def redacted(
    settings: Settings, connector: Connector, connection: Connection, interactions: Interactions
) -> Interactions:
    """Return interactions in which values of records are replaced and nothing identifies the client.

    Kept are codes, marks, times of statement and numbers of changes. Page tokens and next links are renamed,
    in answers and in the requests that follow them. The key of the replacement is forgotten.

    Raises:
        ConfigError: when an answer belongs to no stream, or no substitute for a key is accepted.
    """
    return _Redaction(settings, connector, connection).of(interactions)


@dataclass
class _Redaction:
    settings: Settings
    connector: Connector
    connection: Connection
    substitutes: Substitutes = field(default_factory=lambda: Substitutes(secrets.token_bytes(32)))
    tokens: dict[str, str] = field(default_factory=dict)
    links: dict[tuple[str, tuple[tuple[str, str], ...]], str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)

    def of(self, interactions: Interactions) -> Interactions:
        self._check_recordable()
        parts = load_plugin(self.connector)
        known = places_of(self.connector)
        # Only tokens are posted for, and a recording asks for none.
        pages = sorted((each for each in interactions.answers if each.method == "GET"), key=str)
        held = [self._taken_apart(each, interactions.answers[each], known, parts) for each in pages]
        self._fit(held)
        for each in held:
            self._name_links(each)
        result = Interactions()
        # Listings state the sums of files, so they are written last.
        for each in sorted(held, key=lambda each: each.place.kind == "listing"):
            if asked := self._asked(each):
                result.keep(asked, self._written(each))
        return result

    def _check_recordable(self) -> None:
        """Refuse what cannot be written again with other values."""
        for keys, place in places(self.connector):
            stated = (
                place.pages.total,
                place.pages.count,
                place.pages.more,
                getattr(place.pages, "next", None),
            )
            paths = [getattr(place.read, "records", None), *stated]
            by_token = isinstance(self.connector.streams[keys[1]].changes, TokenChanges)
            if (
                by_token
                or place.read.body is not None
                or any(isinstance(each, str) and is_json_path(each) for each in paths)
            ):
                raise ConfigError(
                    f"{self.connector.where(*keys)}: a stream with a body, with changes by token, or"
                    " with records and pages at JSONPaths, cannot be recorded; test the source itself"
                )

    def _taken_apart(
        self, asked: RequestKey, answer: RecordedResponse, known: list[Place], parts: Plugins
    ) -> _Held:
        for place in known:
            values = place.values(asked)
            if values is not None:
                return _Held(asked, answer, place, values, self._content(place, answer, parts))
        raise ConfigError(
            f"{self.connector.path}: the answer to {asked.described()} belongs to none of its streams"
        )

    def _content(self, place: Place, answer: RecordedResponse, parts: Plugins) -> Content | None:
        what = f"{self.connector.source}.{place.stream}: recorded answer"
        assert not isinstance(place.read, Sql)  # nothing of a table is recorded
        if place.kind == "page":
            most = self.connector.limits.page_bytes
            reader = PageReader(place.read, place.pages, most, plugin=parts.reader_for(self.connection))
            headers = CaseInsensitiveDict(answer.headers)
            content = reader.page(Response(answer.status, headers, answer.body), what)
            return replace(content, records=readable(content.records))
        if place.kind == "file":
            file = io.BytesIO(answer.body)
            slices = record_slices(place.read, file, what, self.connector.limits, vouched=True)
            records = [record for each in slices for record in readable(each)]
            return Content(what, records, None, answer.headers)
        return None

    def _fit(self, held: list[_Held]) -> None:
        """Choose substitutes that contract and mapping accept as they accept what they stand for."""
        listed = {each: _records(held, each) for each in self._lists()}
        for records in listed.values():
            self.substitutes.learn(records)
        for (stream, deletions), records in listed.items():
            keep = recordable_fields(self.settings, self.connector, stream)
            fitting = Fitting(self.settings, self.connector, stream, self.substitutes, keep)
            fitting.fit(records, deletions=deletions)

    def _lists(self) -> list[tuple[str, bool]]:
        """Each stream, and whether its records or its tombstones."""
        return [(stream, deletions) for stream in self.connector.streams for deletions in (False, True)]

    def _name_links(self, held: _Held) -> None:
        """Give the token or address that an answer leads to a name of its own."""
        pages, content = held.place.pages, held.content
        if content is None or held.place.kind != "page":
            return
        match pages:
            case CursorPages(next=place):
                token = content.value(place)
                if token not in (None, ""):
                    self.tokens.setdefault(str(token), f"token-{len(self.tokens) + 1}")
            case NextUrlPages() | LinkPages():
                if address := _next_address(held):
                    name = f"{_PAGE}-{len(self.links) + 1}"
                    self.links.setdefault(_path_and_query(held.asked.path, address), name)

    def _asked(self, held: _Held) -> RequestKey | None:
        """The request as the connector will make it when replaying; None where no response leads to it."""
        asked, place, path = held.asked, held.place, self._path(held)
        if isinstance(place.pages, NextUrlPages | LinkPages):
            if named := self.links.get((asked.path, asked.query)):
                return RequestKey(asked.method, path, ((_PAGE, named),))
            if {name for name, _ in asked.query} - self._parameters(place):
                return None
        token = place.pages.parameter if isinstance(place.pages, CursorPages) else None
        if any(name == token and value not in self.tokens for name, value in asked.query):
            return None
        query = ((name, self._query(place, name, value)) for name, value in asked.query)
        return RequestKey(asked.method, path, tuple(sorted(query)))

    def _parameters(self, place: Place) -> set[str]:
        """What the connector itself puts into the query of a first page."""
        changes, size = self.connector.streams[place.stream].changes, place.pages.size
        own = {*place.read.query, size.parameter if size else None}
        own |= {changes.since, changes.until} if isinstance(changes, TimeChanges | SequenceChanges) else set()
        return {name for name in own if name}

    def _path(self, held: _Held) -> str:
        if held.place.kind == "file":
            return held.asked.path
        return held.place.path(
            {name: self.substitutes.known(value) or value for name, value in held.values.items()}
        )

    def _query(self, place: Place, name: str, value: str) -> str:
        """A value of the query; what a parent or a part of the connector's own put there is replaced."""
        if isinstance(place.pages, CursorPages) and name == place.pages.parameter:
            return self.tokens[value]
        if names_in(place.read.query.get(name)) or "paginator" in self.connector.plugins:
            return self.substitutes.known(value) or value
        return value

    def _written(self, held: _Held) -> RecordedResponse:
        place, content = held.place, held.content
        if place.kind == "watermark":
            return self._watermark(held)
        if place.kind == "listing":
            return self._listing(held)
        assert content is not None
        keep = recordable_fields(self.settings, self.connector, place.stream)
        records = [substituted(record, self.substitutes, keep.__contains__) for record in content.records]
        facts, headers = self._facts(held, content)
        body = written(self._form(place), records, facts)
        if place.kind == "file":
            self.sums[held.values["name"]] = hashlib.sha256(body).hexdigest()
        return RecordedResponse(200, headers, body)

    def _form(self, place: Place) -> Read:
        """How the answer is written: what a part of the connector's own reads is written as JSON."""
        if "reader" not in self.connector.plugins or place.read.format == "json":
            return place.read
        raise ConfigError(f"{self.connector.path}: plugin: reader can be recorded where read.format is json")

    def _facts(self, held: _Held, content: Content) -> tuple[dict[str, Any], dict[str, str]]:
        """What the page states about itself, in its body by path and in its headers."""
        pages = held.place.pages
        facts: dict[str, Any] = {}
        headers: dict[str, str] = {}
        for stated in (pages.total, pages.count, pages.more):
            _state(stated, content.value(stated) if stated else None, facts, headers)
        match pages:
            case CursorPages(next=place):
                token = content.value(place)
                _state(place, token and self.tokens[str(token)], facts, headers)
            case NextUrlPages(next=path):
                _state(path, self._renamed(held), facts, headers)
            case LinkPages():
                if address := self._renamed(held):
                    headers["Link"] = f'<{address}>; rel="next"'
        return facts, headers

    def _renamed(self, held: _Held) -> str | None:
        address = _next_address(held)
        if not address:
            return None
        named = self.links[_path_and_query(held.asked.path, address)]
        return f"{self._path(held)}?{_PAGE}={named}"

    def _watermark(self, held: _Held) -> RecordedResponse:
        stream = self.connector.streams[held.place.stream]
        assert stream.snapshot is not None
        assert stream.snapshot.watermark is not None
        place = stream.snapshot.watermark.value
        body = orjson.loads(held.answer.body)
        facts: dict[str, Any] = {}
        headers: dict[str, str] = {}
        stated = Content("", [], body, CaseInsensitiveDict(held.answer.headers))
        _state(place, stated.value(place), facts, headers)
        return RecordedResponse(200, headers, orjson.dumps(_nested(facts)))

    def _listing(self, held: _Held) -> RecordedResponse:
        listing = held.place.read.listing
        assert listing is not None
        entries = []
        for entry in at(orjson.loads(held.answer.body), listing.files):
            name = at(entry, listing.name)
            stated = {listing.name: name, listing.sha256: self.sums.get(name, at(entry, listing.sha256))}
            if (rows := at(entry, listing.rows)) is not None:
                stated[listing.rows] = rows
            entries.append(_nested(stated))
        return RecordedResponse(200, {}, orjson.dumps(_nested({listing.files: entries})))


def _records(held: list[_Held], of: tuple[str, bool]) -> list[Any]:
    return [
        _adopted(record, each)
        for each in held
        if each.content and (each.place.stream, each.place.deletions) == of
        for record in each.content.records
    ]


def _adopted(record: Any, held: _Held) -> Any:
    """A record as the contract knows it: children carry what their parent was asked with."""
    if not held.values or not isinstance(record, dict):
        return record
    return {**record, "parent": dict(held.values)}


def _next_address(held: _Held) -> str | None:
    pages, content = held.place.pages, held.content
    assert content is not None
    if isinstance(pages, NextUrlPages):
        address: str | None = content.value(pages.next)
        return address
    return next_link(content.headers.get("Link", ""))


def _path_and_query(path: str, address: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Path and query of an address that the response to `path` names."""
    parts = urlsplit(urljoin(path, address))
    return parts.path, tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))


def _state(place: Stated | None, value: Any, facts: dict[str, Any], headers: dict[str, str]) -> None:
    if place is None or value is None:
        return
    if isinstance(place, InHeader):
        headers[place.header] = str(value)
    else:
        facts[place] = value


def _nested(facts: Mapping[str, Any]) -> Any:
    body: dict[str, Any] = {}
    for path, value in facts.items():
        *above, last = path.split(".")
        inner = body
        for name in above:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return body
