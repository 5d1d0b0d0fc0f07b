"""A small register that states, changes and deletes records while it is read, and its configuration.

It stands in for an open source (`sync(opener=...)`), so that a test decides what happens between two pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import yaml

from oncehub.config.connector import Connector, SequenceChanges, Stream, TombstoneStream
from oncehub.connect.page import Page
from oncehub.connect.resume_token import PagePosition, Phase, ResumeToken, StreamPosition
from oncehub.connect.stream.window import Window

SOURCE, STREAM, CHILD = "land", "holders", "deeds"

BY_TIME = {"since": "from", "until": "to", "overlap": "1h", "skew": "5m"}
BY_SEQUENCE = {"kind": "sequence", "field": "no", "since": "after", "overlap": 0}
SNAPSHOT = {"read": {"format": "json", "path": "/all"}, "pages": {"kind": "none"}}
WATERMARK = {"watermark": {"path": "/last", "value": "no"}}
TOMBSTONES = {"kind": "stream", "read": {"format": "json", "path": "/gone"}, "pages": {"kind": "none"}}
OF_CHANGED = {
    "read": {"format": "json", "path": "/holders/{holder}/deeds"},
    "parent": {"stream": STREAM, "take": {"holder": "id"}, "of": "changed"},
}
ABSENCE = {"kind": "absence", "at_most": 0.5}

_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "land.holders",
    "type": "object",
    "required": ["id", "at"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "at": {"type": "string"},
        "no": {"type": "integer"},
        "name": {"type": "string", "maxLength": 30},
        "parent": {"type": "object", "properties": {"holder": {"type": "string"}}},
    },
}
_MAPPING = {"person": {"full_name": {"from": "name"}}}


def configuration(root: Path, origin: Path, streams: dict[str, dict[str, Any]]) -> None:
    """Write a project root with this one source; each stream's parts overrule the plain ones."""
    for folder in ("schemas/canonical", "mappings/codes"):
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        if not (root / folder).exists():
            (root / folder).symlink_to(origin / folder)
    plain = {
        "read": {"format": "json", "path": "/holders"},
        "pages": {"kind": "none"},
        "key": ["id"],
        "updated": {"field": "at"},
    }
    document = {
        "source": SOURCE,
        "title": "Holders of land",
        "schedule": "0 1 * * *",
        "auth": {"kind": "none"},
        "streams": {name: plain | parts for name, parts in streams.items()},
    }
    _write(
        root / "connectors" / SOURCE / "connector.yaml",
        yaml.safe_dump(orjson.loads(orjson.dumps(document)), sort_keys=False),
    )
    for name in streams:
        _write(root / f"schemas/sources/{SOURCE}/{name}.json", orjson.dumps(_SCHEMA).decode())
        _write(root / f"mappings/sources/{SOURCE}/{name}.yaml", yaml.safe_dump(_MAPPING))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@dataclass(frozen=True)
class Stated:
    """What the register says of one record since `at`; `no` counts all changes of the register."""

    key: str
    at: datetime
    no: int
    name: Any
    deleted: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        base = {"id": self.key, "at": self.at.isoformat(), "no": self.no}
        return base if self.deleted else base | {"name": self.name, **self.more}


@dataclass
class Register:
    """The register: all that it ever stated, in order."""

    size: int = 2
    history: list[Stated] = field(default_factory=list)
    before: Callable[[str, int], None] = lambda phase, number: None
    """Called before each page is made, with its phase and number."""
    asked: list[Window] = field(default_factory=list)
    dump: list[Stated] | None = None
    """Where the snapshot is not what is true now, but was made earlier."""

    def state(self, key: str, at: datetime, name: Any, *, deleted: bool = False, **more: Any) -> None:
        self.history.append(Stated(key, at, len(self.history) + 1, name, deleted, more))

    def now(self) -> dict[str, Stated]:
        latest = {each.key: each for each in self.history}
        return {key: latest[key] for key in sorted(latest)}

    def alive(self) -> list[Stated]:
        return [each for each in self.now().values() if not each.deleted]

    @contextmanager
    def open(self, connector: Connector, connection: Any) -> Iterator[Open]:
        yield Open(self, connector)


@dataclass(frozen=True)
class At:
    """Where a read is: its phase, the next page, and what the last one ended with."""

    phase: Phase
    watermark: int
    number: int = 1
    after: str = ""

    def token(self) -> ResumeToken:
        page = PagePosition("register", self.number, token=self.after)
        return ResumeToken(page, StreamPosition(self.phase, watermark=self.watermark))

    @classmethod
    def of(cls, token: ResumeToken) -> At:
        page, stream = token.page, token.stream
        return cls(stream.phase, stream.watermark, page.number, page.token)


@dataclass
class Open:
    """The register, open for reading."""

    register: Register
    connector: Connector

    def pages(
        self, stream: str, window: Window, resume: ResumeToken | Mapping[str, Any] | None = None
    ) -> Iterator[Page]:
        self.register.asked.append(window)
        spec = self.connector.streams[stream]
        token = ResumeToken.load(resume, self.connector.source, stream) if resume else None
        at = (
            At.of(token)
            if token
            else At(
                phase="snapshot" if spec.snapshot and window.since is None else "records",
                watermark=len(self.register.history),
            )
        )
        while True:
            self.register.before(at.phase, at.number)
            page = self._page(spec, window, at)
            yield page
            if page.next is None:
                return
            at = At.of(page.next)

    def _page(self, spec: Stream, window: Window, at: At) -> Page:
        listed = self._listed(spec, window, at)
        left = sorted((each for each in listed if _place(each, at) > at.after), key=_by(at))
        shown, more = left[: self.register.size], left[self.register.size :]
        following: At | None = None
        if more:
            following = replace(at, number=at.number + 1, after=_place(shown[-1], at))
        elif phase := _next_phase(spec, at.phase):
            following = replace(at, number=at.number + 1, phase=phase, after="")
        return Page(
            records=[_child(each) if spec.parent else each.record() for each in shown],
            next=following.token() if following else None,
            number=at.number,
            total=len(listed),
            kind="deletions" if at.phase == "deletions" else "records",
            watermark=self._watermark(spec, at, shown),
            of_snapshot=at.phase == "snapshot",
        )

    def _watermark(self, spec: Stream, at: At, shown: list[Stated]) -> int | None:
        if not _by_number(self._telling(spec)):
            return None
        if spec.parent:
            return max((each.no for each in shown), default=None)
        return at.watermark if at.phase == "snapshot" else None

    def _telling(self, spec: Stream) -> Stream:
        """The stream whose changes are asked for: of children their parents'."""
        return self.connector.streams[spec.parent.stream] if spec.parent else spec

    def _listed(self, spec: Stream, window: Window, at: At) -> list[Stated]:
        register, phase, spec = self.register, at.phase, self._telling(spec)
        if phase == "snapshot":
            return register.alive() if register.dump is None else register.dump
        if spec.changes is None:
            return register.alive()
        found = [each for each in register.history if each.deleted == (phase == "deletions")]
        return [each for each in found if self._asked_for(spec, each, window, at)]

    def _asked_for(self, spec: Stream, each: Stated, window: Window, at: At) -> bool:
        since = window.since
        if _by_number(spec):
            if spec.snapshot and since is None:
                since = at.watermark
            return (since is None or each.no >= since) and (window.until is None or each.no < window.until)
        if spec.snapshot and since is None and spec.changes:
            since = window.until - spec.changes.overlap
        return (since is None or each.at >= since) and (window.until is None or each.at < window.until)


def _child(parent: Stated) -> dict[str, Any]:
    """The one deed of a holder, stated long before."""
    stated = {"id": f"deed of {parent.key}", "at": "2020-01-01T00:00:00+00:00", "name": f"Deed {parent.key}"}
    return stated | {"parent": {"holder": parent.key}}


def _by_number(spec: Stream) -> bool:
    return isinstance(spec.changes, SequenceChanges)


def _next_phase(spec: Stream, phase: str) -> str | None:
    if phase == "snapshot":
        return "records"
    return "deletions" if phase == "records" and isinstance(spec.deletes, TombstoneStream) else None


def _place(each: Stated, at: At) -> str:
    """Where a record stands in a listing: a snapshot goes by key, all else by the number of the change."""
    return each.key if at.phase == "snapshot" else f"{each.no:09}"


def _by(at: At) -> Callable[[Stated], str]:
    return lambda each: _place(each, at)
