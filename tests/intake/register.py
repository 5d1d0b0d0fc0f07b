"""A small register that states, changes and deletes records while it is read, and its configuration.

It stands in for an open source (`sync(opener=...)`), so that a test decides what happens between two pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import yaml

from oncehub.config.connector import Connector, SequenceChanges, Stream, TombstoneStream
from oncehub.connect import Page, PageState, Window

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
    _write(root / "connectors" / SOURCE / "connector.yaml", yaml.safe_dump(document, sort_keys=False))
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


@dataclass
class Open:
    """The register, open for reading."""

    register: Register
    connector: Connector

    def pages(self, stream: str, window: Window, resume: PageState | None = None) -> Iterator[Page]:
        self.register.asked.append(window)
        spec = self.connector.streams[stream]
        state = resume or {
            "phase": "snapshot" if spec.snapshot and window.since is None else "records",
            "watermark": len(self.register.history),
            "number": 1,
            "after": "",
        }
        while state is not None:
            self.register.before(state["phase"], state["number"])
            page = self._page(spec, window, state)
            yield page
            state = page.next

    def _page(self, spec: Stream, window: Window, state: PageState) -> Page:
        listed = self._listed(spec, window, state)
        left = sorted((each for each in listed if _place(each, state) > state["after"]), key=_by(state))
        shown, more = left[: self.register.size], left[self.register.size :]
        following: PageState | None = {**state, "number": state["number"] + 1}
        if more:
            following["after"] = _place(shown[-1], state)
        elif phase := _next_phase(spec, state["phase"]):
            following |= {"phase": phase, "after": ""}
        else:
            following = None
        return Page(
            records=[_child(each) if spec.parent else each.record() for each in shown],
            next=following,
            number=state["number"],
            total=len(listed),
            kind="deletions" if state["phase"] == "tombstones" else "records",
            watermark=self._watermark(spec, state, shown),
            of_snapshot=state["phase"] == "snapshot",
        )

    def _watermark(self, spec: Stream, state: PageState, shown: list[Stated]) -> int | None:
        if not _by_number(self._telling(spec)):
            return None
        if spec.parent:
            return max((each.no for each in shown), default=None)
        return state["watermark"] if state["phase"] == "snapshot" else None

    def _telling(self, spec: Stream) -> Stream:
        """The stream whose changes are asked for: of children their parents'."""
        return self.connector.streams[spec.parent.stream] if spec.parent else spec

    def _listed(self, spec: Stream, window: Window, state: PageState) -> list[Stated]:
        register, phase, spec = self.register, state["phase"], self._telling(spec)
        if phase == "snapshot":
            return register.alive() if register.dump is None else register.dump
        if spec.changes is None:
            return register.alive()
        found = [each for each in register.history if each.deleted == (phase == "tombstones")]
        return [each for each in found if self._asked_for(spec, each, window, state)]

    def _asked_for(self, spec: Stream, each: Stated, window: Window, state: PageState) -> bool:
        since = window.since
        if _by_number(spec):
            if spec.snapshot and since is None:
                since = state["watermark"]
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
    return "tombstones" if phase == "records" and isinstance(spec.deletes, TombstoneStream) else None


def _place(each: Stated, state: PageState) -> str:
    """Where a record stands in a listing: a snapshot goes by key, all else by the number of the change."""
    return each.key if state["phase"] == "snapshot" else f"{each.no:09}"


def _by(state: PageState) -> Callable[[Stated], str]:
    return lambda each: _place(each, state)
