"""A source whose records change while they are read: snapshot, changes, what was deleted, and children."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import yaml

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.http.local_rate_limiter import Pause
from oncehub.connect.page import Page
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ContractBroken

from .answering import Carrier
from .conftest import BASIC, Stored, stored
from .serving import Asked, Reply, as_json

BEGUN = datetime(2026, 7, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Entry:
    """A record's latest statement."""

    id: int
    no: int
    at: datetime
    deleted: bool = False

    def wire(self) -> dict[str, Any]:
        return {"id": self.id, "no": self.no, "at": self.at.isoformat(), "gone": self.deleted}


@dataclass
class Changing:
    """Answers about its entries by token pages of `size`, and lets `events` happen after each answer.

    Each event and each answer takes a minute.
    """

    size: int = 3
    entries: dict[int, Entry] = field(default_factory=dict)
    events: Iterator[Callable[[Changing], None]] = field(default_factory=lambda: iter(()))
    dump: list[Entry] | None = None
    children: dict[int, list[int]] = field(default_factory=dict)
    erased: set[int] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    minutes: int = 0
    no: int = 0

    def now(self) -> datetime:
        return BEGUN + self.minutes * MINUTE

    def state(self, key: int, *, deleted: bool = False) -> None:
        self.minutes += 1
        self.no += 1
        self.entries[key] = Entry(key, self.no, self.now(), deleted)

    def make_dump(self) -> None:
        self.dump = self.living()

    def living(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if not entry.deleted]

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        reply = self._answer(asked)
        if event := next(self.events, None):
            event(self)
        self.minutes += 1
        return reply

    def _answer(self, asked: Asked) -> Reply:
        _, name, *rest = asked.path.split("/")
        if name == "position":
            return as_json({"no": self.no})
        if name == "children":
            return self._children(int(rest[0]), asked)
        if name == "snapshot":
            listed = self.living() if self.dump is None else self.dump
            return self._paged([(entry.id, entry.wire()) for entry in listed], asked)
        wanted = [entry for entry in self.entries.values() if name != "deleted" or entry.deleted]
        if name == "items":
            wanted = [entry for entry in wanted if not entry.deleted]
        return self._paged([(entry.no, entry.wire()) for entry in wanted if _within(entry, asked)], asked)

    def _children(self, key: int, asked: Asked) -> Reply:
        if key in self.erased:
            return Reply(status=404)
        listed = [(child, {"child": child}) for child in self.children.get(key, [])]
        return self._paged(listed, asked)

    def _paged(self, listed: list[tuple[int, dict[str, Any]]], asked: Asked) -> Reply:
        behind = int(asked.query.get("cursor", -1))
        left = sorted((each for each in listed if each[0] > behind), key=lambda each: each[0])
        shown = left[: self.size]
        following = str(shown[-1][0]) if len(left) > self.size else None
        return as_json({"items": [record for _, record in shown], "next": following, "total": len(listed)})


def _within(entry: Entry, asked: Asked) -> bool:
    query = asked.query
    return not (
        ("since" in query and entry.at < datetime.fromisoformat(query["since"]))
        or ("until" in query and entry.at >= datetime.fromisoformat(query["until"]))
        or ("after" in query and entry.no <= int(query["after"]))
    )


def place(path: str) -> dict[str, Any]:
    """Where token pages are read from."""
    return {
        "read": {"format": "json", "path": path, "records": "items"},
        "pages": {"kind": "cursor", "parameter": "cursor", "next": "next", "total": "total"},
    }


BY_TIME = {"since": "since", "until": "until", "overlap": "10m", "skew": "0s"}
BY_SEQUENCE = {"kind": "sequence", "field": "no", "since": "after", "overlap": 2}


def connector(streams: dict[str, dict[str, Any]]) -> Connector:
    """A connector of these streams, each of entries unless it says otherwise."""
    document = yaml.safe_load(BASIC)
    basic = document["streams"]["items"]
    document["streams"] = {name: basic | place("/items") | stream for name, stream in streams.items()}
    return Connector.model_validate(document)


def opened(source: Changing, read_by: Connector, pause: Pause | None = lambda _seconds: None) -> Source:
    return Source(
        read_by,
        Connection("http://127.0.0.1:1"),
        transport=lambda _inner: Carrier(source),
        pause=pause,
        clock=source.now,
    )


def read(
    source: Changing, read_by: Connector, stream: str, window: Window, kills: list[int] | None = None
) -> list[Page]:
    """Read to the end, by a new process after so many pages each.

    A listing that one record joins behind the reader, and another leaves before it, has fewer records than
    both its totals say: it is refused, and the next process reads anew, as the next run does.
    """
    state: Stored | None = None
    came: list[Page] = []
    numbers = iter(kills or [])
    while True:
        if state is None:
            stated = source.no
        most = next(numbers, 10_000)
        try:
            with opened(source, read_by) as reader:
                pages = reader.pages(stream, window, state)
                came += islice(pages, most)
                pages.close()  # type: ignore[attr-defined]
        except ContractBroken:
            if source.no == stated:
                raise
            state = None
            continue
        state = stored(came[-1].next)
        if state is None:
            return came
        assert most < 10_000, "the read does not end"
